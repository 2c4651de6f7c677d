# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
# Part of _core.pyx: the server's side of one RPC.


cdef class ServicerContext:
    """The server's side of one RPC. Made by Server only.

    Subclasses give it grpc.aio's interface; `_status_number_of(code)` turns what a
    handler passes as a status code into a number, `_compression_entry(compression)`
    a compression into metadata; `_abort_error` and `_usage_error` are the classes to
    raise, `_end_of_stream` is what read() gives at the end, `_eof` what _receive() raises
    there, `_metadatum` makes an entry of invocation_metadata().
    """

    cdef CServerCall* _call
    cdef Server _server
    cdef object _event_loop
    cdef object _task
    cdef object _method_name
    cdef object _request_deserializer
    cdef object _response_serializer
    cdef object _status  # as the handler gave it
    cdef str _status_details
    cdef tuple _trailing
    cdef object _abort_exception
    cdef object _compression  # an entry of the initial metadata, or None
    # The response of a method that has one, once send() was given it.
    cdef object _response
    # Weak references to calls that end with this RPC if it is cancelled.
    cdef list _dependents
    cdef bint _metadata_sent
    cdef bint _no_compression
    cdef bint _handler_over
    cdef bint _is_counted
    cdef bint _waits_for_thread
    cdef bint _request_streaming
    cdef bint _response_streaming
    cdef bint _request_taken
    cdef bint _has_response
    cdef list _callbacks
    cdef object _closed_hook
    cdef object __weakref__
    cdef dict __dict__

    def __cinit__(self):
        self._status_details = ""
        self._trailing = ()

    def __dealloc__(self):
        if self._call != NULL:
            self._call.Abandon()

    # ---- what handlers may call

    def invocation_metadata(self):
        return CMetadataToTuple(self._call.request_metadata(), <PyObject*>self._metadatum)

    def peer(self):
        return self._call.Peer().decode(errors="replace")

    def peer_identities(self):
        return CPeerIdentities(self._call)

    def peer_identity_key(self):
        return CPeerIdentityKey(self._call)

    def auth_context(self):
        return CAuthContext(self._call)

    def time_remaining(self):
        return _time_remaining(self._call.deadline())

    def set_code(self, code):
        self._status_number_of(code)
        self._status = code

    def code(self):
        return self._status

    def set_details(self, str details):
        self._status_details = details

    def details(self):
        return self._status_details

    def set_trailing_metadata(self, metadata):
        self._trailing = checked_trailing_metadata(metadata)

    def trailing_metadata(self):
        return self._trailing

    def set_compression(self, compression):
        if self._metadata_sent:
            raise RuntimeError("Compression setting must be specified before sending initial metadata")
        self._compression = self._compression_entry(compression)

    def disable_next_message_compression(self):
        self._no_compression = True

    def done(self):
        return self._is_done()

    cdef bint _is_done(self):
        return self._call.reply_sent() or self._call.is_closed()

    def cancelled(self):
        """Whether the RPC ended before its status reached the client."""
        return self._call.is_cancelled()

    def add_done_callback(self, callback):
        """Calls `callback(context)` from the loop once RPC and handler are over.

        In a copy of the present context. What one raises does not keep the others from it.
        """
        if self._callbacks is None:
            self._callbacks = []
            self._call.set_wants_close()
        self._callbacks.append((callback, PyContext_CopyCurrent()))
        self._run_callbacks_when_over()

    async def send_initial_metadata(self, metadata):
        self._check_running()
        if self._metadata_sent:
            raise self._usage_error("Send initial metadata failed: already sent")
        self._assign_initial_metadata(tuple(metadata))
        self._call.SendInitialMetadata()

    async def read(self):
        """The next request, or EOF."""
        self._check_running()
        if self._call.incoming().has_message():
            return self._take_message()
        return await self._wait_for_request(False)

    async def write(self, message):
        """Sends a response; returns when the next one may be written."""
        self._check_running()
        if not self._response_streaming:
            raise self._usage_error(
                f"write() is for methods with a stream of responses; {self._method_name} has a single "
                "response, which its handler returns"
            )
        self._push(message)
        if self._call.outgoing().MustWait():
            await self._wait_until_sent()

    def _receive(self):
        """An awaitable of the next request; raises what `_eof` is after the last one."""
        self._check_running()
        if self._call.incoming().has_message():
            return _ready(self._take_message())
        if self._request_taken and not self._request_streaming:
            raise self._eof
        return self._wait_for_request(True)

    def _send(self, message):
        """Sends a response; what it returns is to be awaited before the next one.

        The single response of a method that has one goes out with the status.
        """
        self._check_running()
        if not self._response_streaming:
            if self._has_response:
                raise self._usage_error(f"{self._method_name} has a single response, which was sent already")
            self._has_response = True
            self._response = message
            return _DONE
        self._push(message)
        if self._call.outgoing().MustWait():
            return self._wait_until_sent()
        return _DONE

    def _end_with(self, call):
        """Has `call`, which is held weakly, cancelled when the client cancels this RPC, or its time is up."""
        if self._call.is_closed():
            if self._call.is_cancelled():
                call.cancel()
            return
        if self._dependents is None:
            self._dependents = []
            self._call.set_wants_close()
        self._dependents.append(ref(call))

    async def abort(self, code, str details="", tuple trailing_metadata=()):
        if self._abort_exception is not None:
            raise self._usage_error("Abort already called!")
        number = self._status_number_of(code)
        if number == _OK:
            raise ValueError("abort() needs a status code that is not OK; to end with OK, return")
        self._server._loop._enter()
        if trailing_metadata or not self._trailing:
            self._trailing = checked_trailing_metadata(trailing_metadata)
        if details or not self._status_details:
            self._status_details = details
        self._status = code
        self._abort_exception = self._abort_error("Locally aborted.")
        if not self._is_done():
            self._send_reply(number, self._status_details)
        raise self._abort_exception

    async def abort_with_status(self, status):
        await self.abort(status.code, status.details, status.trailing_metadata)

    def _when_closed(self, hook):
        """Has `hook()` called as soon as the RPC is over, though its handler may not be."""
        self._closed_hook = hook
        self._call.set_wants_close()

    # ---- what the server calls

    cdef int _check_running(self) except -1:
        self._server._loop._enter()
        if self._abort_exception is not None:
            raise self._abort_exception
        if self._is_done():
            raise self._usage_error("RPC already finished.")
        return 0

    cdef _assign_initial_metadata(self, tuple metadata):
        if self._compression is not None:
            metadata = (self._compression, *metadata)
        if metadata:
            try:
                self._call.initial_metadata().Assign(metadata)
                self._call.initial_metadata().Check()
            except BaseException:
                # Not with the status either, which tells of the mistake.
                self._call.initial_metadata().Assign(())
                raise
        self._metadata_sent = True

    async def _wait_for_request(self, bint raises):
        """The next request; at the end EOF, or what `_eof` is, raised."""
        self._call.outgoing().NoteActivity()
        while not self._call.incoming().has_message():
            if self._call.incoming().at_end():
                if raises:
                    raise self._eof
                return self._end_of_stream
            await _wait_for_message(self._call.incoming(), self._server._loop, self._event_loop)
            self._check_running()
        return self._take_message()

    cdef _take_message(self):
        data = _take_bytes(self._call.incoming())
        self._request_taken = True
        return data if self._request_deserializer is None else self._request_deserializer(data)

    cdef _push(self, message):
        """Hands a response over to be sent."""
        cdef uint32_t flags = 0
        if self._response_serializer is not None:
            message = self._response_serializer(message)
        elif isinstance(message, str):
            message = message.encode()
        _check_bytes(message, "response", self._response_serializer)
        if not self._metadata_sent:
            self._assign_initial_metadata(())
        if self._no_compression:
            self._no_compression = False
            flags = GRPC_WRITE_NO_COMPRESS
        self._call.outgoing().Push(CSliceFromBytes(self._server._loop._context.get(), message), flags)

    async def _wait_until_sent(self):
        if not await _wait_until_sent(self._call.outgoing(), self._server._loop, self._event_loop):
            self._check_running()
            raise self._usage_error("RPC already finished.")

    cdef _send_reply(self, int code, details):
        """Ends the RPC, behind the messages that were pushed."""
        cdef CReply* reply = self._call.reply()
        reply.code = <grpc_status_code>code
        if details:
            reply.details = details.encode(errors="replace")
        if self._trailing:
            reply.trailing_metadata.Assign(self._trailing)
        if not self._metadata_sent:
            self._assign_initial_metadata(())
        self._call.SendReply()

    cdef _refuse(self):
        self._send_reply(_RESOURCE_EXHAUSTED, "Concurrent RPC limit exceeded!")

    cdef bint _may_wait_for_thread(self):
        """Counts an RPC that is to wait for a thread; or refuses it."""
        if self._server._waiting >= self._server._max_waiting:
            self._send_reply(_RESOURCE_EXHAUSTED, "Too many RPCs wait to be handled!")
            return False
        self._waits_for_thread = True
        self._server._waiting += 1
        return True

    def _thread_began(self):
        """It waits no more. Any thread: the GIL guards the count."""
        self._end_wait()

    cdef inline void _end_wait(self) noexcept:
        if self._waits_for_thread:
            self._waits_for_thread = False
            self._server._waiting -= 1

    cdef _handle_closed(self):
        task = self._task
        if self._closed_hook is not None:
            self._closed_hook()
        dependents, self._dependents = self._dependents, None
        if dependents is not None and self._call.is_cancelled():
            for dependent in dependents:
                call = dependent()
                if call is not None:
                    call.cancel()
        self._run_callbacks_when_over()
        # What a task factory returns need not be a task.
        if self._call.is_cancelled() and hasattr(task, "cancel"):
            task.cancel()

    cdef _leave(self, int unanswered):
        """The handler is over: breaks the cycles with its task and its thread.

        If it has not answered, the status is `unanswered`.
        """
        self._server._forget(self)
        self._end_wait()
        self._closed_hook = None
        self._task = None
        self._handler_over = True
        try:
            # Not done(): at the end of the interpreter the class has no methods any more.
            if not self._is_done() and not self._server._loop._context.get().is_closed():
                self._trailing = ()
                text = "" if unanswered == _CANCELLED else "The handler ended without answering the call."
                self._send_reply(unanswered, text)
        finally:
            self._run_callbacks_when_over()

    cdef _run_callbacks_when_over(self):
        if self._callbacks is None or not self._handler_over:
            return
        if not self._call.is_closed():
            # Nothing else holds the context between its handler's end and its RPC's.
            self._server._closing.add(self)
            return
        self._server._closing.discard(self)
        callbacks = self._callbacks
        self._callbacks = None
        if self._event_loop.is_closed():
            return
        for callback, variables in callbacks:
            self._event_loop.call_soon(self._run_callback, callback, context=variables)

    def _run_callback(self, callback):
        try:
            callback(self)
        except Exception:
            _log.exception("Error in callback for method [%s]", self._method_name)

    cdef _handle_error(self, error):
        """Reports what a handler raised, as grpc.aio does."""
        if error is self._abort_exception:
            return
        if self._call.is_cancelled() and isinstance(error, self._usage_error):
            # It was told that the client has gone.
            return
        if self._answer_as_asked(error):
            return
        try:
            if not self._is_done():
                self._answer_with(error)
        finally:
            _log.exception(
                "Unexpected [%s] raised by servicer method [%s]", type(error).__name__, self._method_name
            )

    cdef bint _answer_as_asked(self, error):
        """Answers with the status that an RpcError of uvgrpc's was made for. False for other errors."""
        status = getattr(error, "_status_to_send", None)
        if status is None:
            return False
        if not self._is_done():
            number, details, trailing_metadata = status
            self._trailing = (*self._trailing, *trailing_metadata)
            self._send_reply(number, details)
        return True

    cdef _answer_with(self, error):
        number = _UNKNOWN if self._status is None else self._status_number_of(self._status)
        if number == _OK:
            number = _UNKNOWN
        if self._server._hides_exceptions:
            text = "Unexpected error in the handler."
        else:
            text = _text_of(error)
        self._send_reply(number, text)


# As in what repr() makes of most objects: "<Thing object at 0x7f00deadbeef>".
_AT_ADDRESS = re.compile(" at 0x[0-9a-fA-F]+(?=>)")


cdef str _text_of(error):
    """What grpc.aio tells clients of an exception, as far as it can be printed, but no addresses."""
    try:
        text = f"Unexpected {type(error)}: {error}"
        return _AT_ADDRESS.sub("", text) if " at 0x" in text else text
    except Exception:
        pass
    try:
        return f"Unexpected {type(error)}"
    except Exception:
        return f"Unexpected <class '{type(error).__name__}'>"


def checked_trailing_metadata(metadata):
    """The entries of `metadata`, any collection of pairs, as a tuple.

    Raises TypeError or ValueError for what cannot be sent.
    """
    if isinstance(metadata, (str, dict)) or not hasattr(metadata, "__iter__"):
        raise TypeError(f"Invalid trailing metadata type, expected a tuple of pairs: {metadata!r}")
    entries = tuple(metadata)
    for entry in entries:
        if not isinstance(entry, tuple) or len(entry) != 2:
            raise TypeError(f"Invalid trailing metadata, expected tuples of key and value: {entry!r}")
    if entries:
        CCheckMetadata(entries)
    return entries
