# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
# Part of _core.pyx: channels, and the calls that this process makes.


cdef class Channel:
    """A channel of core's. The event loop is the one that `loop` was made for."""

    cdef shared_ptr[CChannel] _channel
    cdef Loop _loop
    cdef readonly object event_loop
    cdef dict _methods

    def __init__(self, Loop loop, event_loop, str target, ChannelCredentials credentials not None, options):
        cdef CChannelArgs args
        _fill_args(&args, options)
        self._loop = loop
        self.event_loop = event_loop
        self._methods = {}
        self._channel = CChannel.New(loop._context, target.encode(), credentials._core, &args)

    @property
    def is_closed(self):
        return self._channel.get().is_closed()

    def close(self):
        """Destroys core's channel; watches resolve. Idempotent."""
        self._methods = {}
        self._channel.get().Close()

    def check_connectivity(self, cbool try_to_connect):
        return <int>self._channel.get().CheckConnectivity(try_to_connect)

    def watch_connectivity(self, int last):
        """A future that resolves with True when the state is no longer `last`."""
        future = Future(loop=self.event_loop)
        self._channel.get().WatchConnectivity(<grpc_connectivity_state>last, <PyObject*>future)
        return future

    def active_calls(self):
        """The ClientCall objects of this channel that are not over."""
        cdef vector[PyObject*] owners = self._channel.get().CallOwners()
        return [<object>owners[i] for i in range(owners.size())]

    cdef void* _method(self, bytes method) except NULL:
        handle = self._methods.get(method)
        if handle is None:
            handle = <size_t>self._channel.get().RegisterMethod(<string>method)
            self._methods[method] = handle
        return <void*><size_t>handle


cdef class ClientCall:
    """An RPC that this process makes; unary in both directions.

    Starts with the other work of its loop turn. Subclasses give it grpc.aio's
    interface and make the errors, by `_error()`.
    """

    cdef CClientCall* _call
    cdef object _event_loop
    cdef object _deserializer
    cdef object _response
    cdef gpr_timespec _deadline
    cdef list _waiters
    cdef list _callbacks
    cdef bint _done
    cdef bint _cancelled_locally
    cdef int _code
    cdef object _details
    cdef object _debug_error_string
    cdef object __weakref__

    def __dealloc__(self):
        if self._call != NULL:
            self._call.Abandon()

    def _start(
        self,
        Channel channel,
        bytes method,
        request,
        serializer,
        deserializer,
        timeout,
        metadata,
        wait_for_ready,
        CallCredentials credentials,
    ):
        """Starts the call. To be called once, right after construction.

        A request that cannot be serialized ends the call with INTERNAL, and
        nothing is sent. Raises TypeError for metadata that is not made of pairs.
        """
        cdef CClientCallArguments arguments
        self._event_loop = channel.event_loop
        self._deserializer = deserializer
        self._deadline = arguments.deadline = _deadline_after(timeout)
        if serializer is not None:
            try:
                request = serializer(request)
            except Exception as error:
                _log.exception("Exception serializing request!")
                self._finish(_INTERNAL, "Exception serializing request!", repr(error))
                return
        if not isinstance(request, bytes):
            raise TypeError(f"a serialized request must be bytes, got {type(request).__name__}")
        arguments.method = channel._method(method)
        arguments.initial_metadata_flags = 0
        if wait_for_ready is not None:
            arguments.initial_metadata_flags = GRPC_INITIAL_METADATA_WAIT_FOR_READY_EXPLICITLY_SET
            if wait_for_ready:
                arguments.initial_metadata_flags |= GRPC_INITIAL_METADATA_WAIT_FOR_READY
        arguments.request = CSliceFromBytes(channel._loop._context.get(), request)
        if credentials is not None:
            arguments.credentials = credentials._core
        self._call = CClientCall.NewUnary(channel._channel, arguments)
        if metadata:
            try:
                self._call.outgoing_metadata().Assign(metadata)
            except BaseException:
                self._call.Cancel(b"invalid metadata")
                raise
        self._call.set_owner(<PyObject*>self)

    cdef _finish(self, int code, details, debug_error_string):
        """Takes the final status and tells everybody who waits for it."""
        self._done = True
        self._code = code
        self._details = details
        self._debug_error_string = debug_error_string
        waiters = self._waiters
        if waiters is not None:
            self._waiters = None
            for future in waiters:
                if not future.done():
                    future.set_result(None)
        callbacks = self._callbacks
        if callbacks is not None:
            self._callbacks = None
            for callback in callbacks:
                self._event_loop.call_soon(callback, self)

    cdef _finish_from_core(self):
        if self._done:
            return
        cdef int code = <int>self._call.code()
        cdef const char* error = self._call.error_string()
        debug = None if error == NULL else (<bytes>error).decode(errors="replace")
        details = "" if code == _OK else CStrFromSlice(self._call.details())
        if code == _OK:
            try:
                self._response = self._take_response()
            except Exception as problem:
                _log.exception("Exception deserializing response!")
                code = _INTERNAL
                details = "Exception deserializing response!"
                debug = repr(problem)
        self._finish(code, details, debug)

    cdef _take_response(self):
        cdef grpc_byte_buffer* message = self._call.response()
        if message == NULL:
            raise ValueError("the server ended the call with OK and sent no message")
        data = CBytesFromByteBuffer(message)
        return data if self._deserializer is None else self._deserializer(data)

    def __await__(self):
        if not self._done:
            try:
                yield from self._status_future()
            except CancelledError:
                # The task that waits was cancelled: so is what it waits for.
                self.cancel()
                raise
        if self._cancelled_locally:
            raise CancelledError()
        if self._code != _OK:
            raise self._error()
        return self._response

    def _error(self):
        raise NotImplementedError

    def _status_future(self):
        """A future that resolves when the status is known."""
        future = Future(loop=self._event_loop)
        if self._done:
            future.set_result(None)
        elif self._waiters is None:
            self._waiters = [future]
        else:
            self._waiters.append(future)
        return future

    def cancel(self):
        """Ends the call with CANCELLED. Returns False when it was over already."""
        if self._done:
            return False
        self._cancelled_locally = True
        if self._call != NULL:
            self._call.Cancel(b"Locally cancelled by application!")
        self._finish(_CANCELLED, "Locally cancelled by application!", None)
        return True

    def cancelled(self):
        return self._done and self._code == _CANCELLED

    def done(self):
        return self._done

    def add_done_callback(self, callback):
        """Calls `callback(call)` from the loop once the status is known."""
        if self._done:
            self._event_loop.call_soon(callback, self)
        elif self._callbacks is None:
            self._callbacks = [callback]
        else:
            self._callbacks.append(callback)

    def time_remaining(self):
        return _time_remaining(self._deadline)

    # The status; only meaningful once done().
    def _status_number(self):
        return self._code

    def _status_details(self):
        return self._details

    def _status_debug_string(self):
        return self._debug_error_string

    def _initial_metadata_pairs(self):
        if self._call == NULL or self._cancelled_locally:
            return ()
        return CMetadataToTuple(self._call.initial_metadata(), NULL)

    def _trailing_metadata_pairs(self):
        if self._call == NULL or self._cancelled_locally:
            return ()
        return CMetadataToTuple(self._call.trailing_metadata(), NULL)


cdef void _on_client_call_done(PyObject* owner) noexcept:
    call = <ClientCall>owner
    try:
        call._finish_from_core()
    except BaseException:
        _log.exception("finishing a client call")
