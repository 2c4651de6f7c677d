# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
# Part of _core.pyx: the calls that this process makes.


cdef class ClientCall:
    """An RPC that this process makes, of any arity.

    Starts with the other work of its loop turn. Subclasses give it grpc.aio's
    interface; `_error()` makes the exception for a bad status, `_usage_error` and
    `_end_of_stream` are grpc.aio's objects of these names, `_eof` what _receive() raises
    at the end of a stream.
    """

    cdef CClientCall* _call
    cdef Channel _channel
    cdef readonly object _event_loop
    cdef readonly bytes _path
    cdef object _serializer
    cdef object _deserializer
    cdef object _response
    cdef gpr_timespec _deadline
    cdef list _waiters
    cdef list _progress_waiters
    cdef list _callbacks
    cdef bint _response_streaming
    cdef bint _done
    # The response waits for somebody who wants to know how the call ended: it is
    # deserialized by whoever that is, in the context and the task of theirs.
    cdef bint _is_raw
    cdef object _settling_thread
    cdef bint _cancelled_locally
    cdef bint _at_end
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
        cbool request_streaming,
        cbool response_streaming,
        request,
        serializer,
        deserializer,
        timeout,
        metadata,
        wait_for_ready,
        CallCredentials credentials,
    ):
        """Starts the call. To be called once, right after construction.

        `request` is that of an arity without a stream of requests. One that cannot be
        serialized ends the call with INTERNAL, and nothing is sent. Raises TypeError
        for metadata that is not made of pairs, RuntimeError on a thread that may not
        use the channel.
        """
        cdef CClientCallArguments arguments
        cdef COutgoingMetadata outgoing_metadata
        channel._loop._enter()
        self._channel = channel
        self._event_loop = channel.event_loop
        self._path = method
        self._serializer = serializer
        self._deserializer = deserializer
        self._response_streaming = response_streaming
        self._deadline = arguments.deadline = _deadline_after(timeout)
        if not request_streaming:
            data = self._serialized(request)
            if data is None:
                return
        if metadata:
            outgoing_metadata.Assign(metadata)
        # The program's code has run: it may have let another thread run the loop, or
        # closed the channel. From here to the end none of it does.
        channel._loop._enter()
        arguments.method = channel._method(method)
        if arguments.method == NULL:
            arguments.path = CSliceFromBytes(channel._loop._context.get(), method)
        arguments.initial_metadata_flags = 0
        if wait_for_ready is not None:
            arguments.initial_metadata_flags = GRPC_INITIAL_METADATA_WAIT_FOR_READY_EXPLICITLY_SET
            if wait_for_ready:
                arguments.initial_metadata_flags |= GRPC_INITIAL_METADATA_WAIT_FOR_READY
        arguments.request_streaming = request_streaming
        arguments.response_streaming = response_streaming
        if not request_streaming:
            arguments.request = CSliceFromBytes(channel._loop._context.get(), data)
        if credentials is not None:
            arguments.credentials = credentials._core
        self._call = CClientCall.New(channel._channel, arguments, &outgoing_metadata)
        self._call.set_owner(<PyObject*>self)

    cdef object _serialized(self, request):
        """A request as bytes; None when it cannot be, which ends the call."""
        if self._serializer is not None:
            try:
                request = self._serializer(request)
            except BaseException as error:
                self._fail("Exception serializing request!", error)
                if not isinstance(error, Exception):
                    raise
                _log.exception("Exception serializing request!")
                return None
        _check_bytes(request, "request", self._serializer)
        return request

    # ---- the status

    cdef _fail(self, str details, error):
        """Ends the call for a fault on this side of it."""
        self._at_end = True
        if self._call != NULL:
            self._call.Cancel(details.encode())
        self._finish(_INTERNAL, details, repr(error))

    cdef _finish(self, int code, details, debug_error_string, bint delivered=False):
        """Takes the final status and tells everybody who waits for it."""
        self._done = True
        self._code = code
        self._details = details
        self._debug_error_string = debug_error_string
        callbacks = self._callbacks
        if callbacks is not None:
            self._callbacks = None
            for callback, variables in callbacks:
                if self._channel._loop.is_closed:
                    # Its ready queue will not run any more.
                    variables.run(self._run_callback, callback)
                else:
                    self._event_loop.call_soon(self._run_callback, callback, context=variables)
        waiters = self._waiters
        if waiters is not None:
            self._waiters = None
            _wake(waiters, delivered)
        self._wake_progress_waiters(delivered)

    def _run_callback(self, callback):
        """Anything but an Exception is for who called: uvloop, in general."""
        try:
            self._settle()
            callback(self)
        except Exception as error:
            self._event_loop.call_exception_handler(
                {"message": "Exception in a done callback of a call", "exception": error}
            )

    cdef _wake_progress_waiters(self, bint delivered):
        waiters = self._progress_waiters
        if waiters is not None:
            self._progress_waiters = None
            _wake(waiters, delivered)

    cdef _finish_from_core(self, bint delivered=False):
        if self._done:
            return
        cdef int code = <int>self._call.code()
        cdef const char* error = self._call.error_string()
        if code == _OK:
            self._is_raw = not self._response_streaming
            self._finish(code, "", "", delivered)
            return
        debug = None if error == NULL else (<bytes>error).decode(errors="replace")
        self._finish(code, CStrFromSlice(self._call.details()), debug, delivered)

    cdef int _settle(self) except -1:
        """The call is done: makes sure that its outcome is what it will be told to be.

        Two threads that ask at the same time may both deserialize the response; the first
        one that is through decides.
        """
        if not self._is_raw:
            return 0
        thread = get_ident()
        if self._settling_thread == thread:
            return 0  # the deserializer asks
        self._settling_thread = thread
        response = problem = None
        try:
            response = self._take_response()
        except BaseException as error:
            problem = error
        if not self._is_raw:
            return 0
        self._is_raw = False
        self._response = response
        if problem is None:
            return 0
        if isinstance(problem, CancelledError):
            # As from a task that runs the call, which is what grpc.aio has.
            self._cancelled_locally = True
            self._code = _CANCELLED
            self._details = "Locally cancelled by application!"
            return 0
        self._code = _INTERNAL
        self._details = "Exception deserializing response!"
        self._debug_error_string = repr(problem)
        if not isinstance(problem, Exception):
            raise problem
        _log.error("Exception deserializing response!", exc_info=problem)
        return 0

    cdef _take_response(self):
        cdef grpc_byte_buffer* message = self._call.response()
        if message == NULL:
            raise ValueError("the server ended the call with OK and sent no message")
        data = CBytesFromByteBuffer(message)
        return data if self._deserializer is None else self._deserializer(data)

    def _await_response(self):
        """What __await__ of a call with a single response does."""
        if not self._done:
            try:
                yield from self._wait_for_status()
            except CancelledError:
                # The task that waits was cancelled: so is what it waits for.
                self.cancel()
                raise
        self._check_status()
        return self._response

    def _raise_for_status(self):
        """Raises what the final status stands for, if it is not OK."""
        self._check_status()

    cdef int _check_status(self) except -1:
        self._settle()
        if self._cancelled_locally:
            raise CancelledError()
        if self._code != _OK:
            raise self._error()
        return 0

    def _error(self):
        raise NotImplementedError

    def _status_future(self):
        """A future that resolves when the status is known."""
        self._channel._loop._enter()
        future = Future(loop=self._event_loop)
        if self._done:
            future.set_result(None)
        else:
            self._add_waiter(future)
        return future

    cdef _Waiter _wait_for_status(self):
        """The same for a task; not once the call is done."""
        self._channel._loop._enter()
        waiter = _new_waiter(self._channel._loop, self._event_loop)
        self._add_waiter(waiter)
        return waiter

    cdef _add_waiter(self, future):
        if self._waiters is None:
            self._waiters = [future]
        else:
            _forget_done(self._waiters)
            self._waiters.append(future)

    async def _wait_for_initial_metadata(self):
        while not (self._done or self._call.has_initial_metadata()):
            await self._progress_future()

    async def _wait_for_connection(self):
        """Waits until the call is connected, and raises if it failed."""
        while not (self._done or self._call.is_connected()):
            await self._progress_future()
        if self._done:
            self._check_status()

    cdef _Waiter _progress_future(self):
        self._channel._loop._enter()
        self._call.set_wants_progress()
        future = _new_waiter(self._channel._loop, self._event_loop)
        if self._progress_waiters is None:
            self._progress_waiters = []
        _forget_done(self._progress_waiters)
        self._progress_waiters.append(future)
        return future

    # ---- what the application asks for

    def cancel(self):
        """Ends the call with CANCELLED. Returns False when it was over already.

        Any thread: on another than the loop's the call ends when the loop comes to it.
        """
        if self._done:
            return False
        if not self._channel._loop._may_enter():
            try:
                self._event_loop.call_soon_threadsafe(self.cancel)
            except RuntimeError:
                return False  # the loop is closed, and the call ended with it
            return True
        self._cancelled_locally = True
        self._at_end = True
        if self._call != NULL:
            self._call.Cancel(b"Locally cancelled by application!")
        self._finish(_CANCELLED, "Locally cancelled by application!", None)
        return True

    cdef _relinquish(self):
        """The same for a channel that is closed: what was written goes out first."""
        if self._done:
            return
        if self._call.is_done():
            # Only messages keep the status back. They may still be read.
            self._finish_from_core()
            return
        self._cancelled_locally = True
        self._at_end = True
        self._call.Relinquish(b"Locally cancelled by application!")
        self._finish(_CANCELLED, "Locally cancelled by application!", None)

    def cancelled(self):
        return self._done and self._code == _CANCELLED

    def done(self):
        if not self._done and self._channel._loop.is_closed and self._call.is_done():
            # Nobody will read the messages that keep the status back.
            self._finish_from_core()
        return self._done

    def add_done_callback(self, callback):
        """Calls `callback(call)` once the status is known; at once if it is.

        From the ready queue of the loop, in a copy of the present context.
        """
        if self._done:
            self._run_callback(callback)
            return
        if self._callbacks is None:
            self._callbacks = []
        self._callbacks.append((callback, PyContext_CopyCurrent()))

    def time_remaining(self):
        return _time_remaining(self._deadline)

    # ---- the outcome; only meaningful once done(), or once it has arrived

    def _status_number(self):
        self._settle()
        return self._code

    def _status_details(self):
        self._settle()
        return self._details

    def _status_debug_string(self):
        self._settle()
        return self._debug_error_string

    def _initial_metadata_pairs(self):
        if self._call == NULL or not self._call.has_initial_metadata():
            return ()
        return CMetadataToTuple(self._call.initial_metadata(), NULL)

    def _trailing_metadata_pairs(self):
        if self._call == NULL or self._cancelled_locally or not self._call.has_status():
            return ()
        return CMetadataToTuple(self._call.trailing_metadata(), NULL)


cdef void _on_client_call_done(PyObject* owner) except *:
    call = <ClientCall>owner
    try:
        call._finish_from_core(delivered=True)
    except _EXITS:
        raise
    except BaseException:
        _log.exception("finishing a client call")


cdef void _on_client_call_progress(PyObject* owner) except *:
    call = <ClientCall>owner
    try:
        call._wake_progress_waiters(True)
    except _EXITS:
        raise
    except BaseException:
        _log.exception("telling of a client call's progress")
