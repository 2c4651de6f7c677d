# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
# Part of _core.pyx: the messages of a call with a stream, or two.


cdef class ClientStream(ClientCall):
    """A call whose requests or responses are a stream."""

    # Fields of its own make this the base that decides on the layout, and with it on
    # the table of cdef methods, of Python classes that inherit ClientCall twice.
    cdef bint _half_closed
    cdef bint _iterated

    # ---- a stream of responses

    def _next_response(self):
        """An awaitable of the next response, or of EOF, or that raises the status."""
        self._channel._loop._enter()
        if not self._at_end and self._call.incoming().has_message():
            return _ready(self._take_message())
        return self._wait_for_response(False)

    def _receive(self):
        """As _next_response(), but at the end of the stream it raises what `_eof` is."""
        self._channel._loop._enter()
        if not self._at_end and self._call.incoming().has_message():
            return _ready(self._take_message())
        return self._wait_for_response(True)

    async def _wait_for_response(self, bint raises):
        if self._call != NULL:
            self._call.outgoing().NoteActivity()
        while not self._at_end:
            if self._call.incoming().has_message():
                return self._take_message()
            if self._call.incoming().at_end():
                self._at_end = True
                break
            if self._done and self._code != _OK:
                break
            try:
                await _wait_for_message(self._call.incoming(), self._channel._loop, self._event_loop)
            except CancelledError:
                self.cancel()
                raise
        if not self._done:
            try:
                await self._wait_for_status()
            except CancelledError:
                self.cancel()
                raise
        self._check_status()
        if raises:
            raise self._eof
        return self._end_of_stream

    cdef _take_message(self):
        message = _take_bytes(self._call.incoming())
        if self._deserializer is not None:
            try:
                message = self._deserializer(message)
            except BaseException as error:
                self._fail("Exception deserializing response!", error)
                if not isinstance(error, Exception):
                    raise
                _log.exception("Exception deserializing response!")
                raise self._error() from error
        # The last one lets the status out.
        if not self._done and self._call.has_status():
            self._finish_from_core()
        return message

    # ---- a stream of requests

    cdef bint _enqueue(self, request) except -1:
        """Hands a request over to be sent. False if the call is over, or now ended by an error of the serializer."""
        data = self._serialized(request)
        if data is None:
            return False
        # The serializer may have done anything.
        self._channel._loop._enter()
        if self._done:
            return False
        if self._half_closed:
            raise InvalidStateError(self._half_closed_text)
        self._call.outgoing().Push(CSliceFromBytes(self._channel._loop._context.get(), data), 0)
        return True

    async def _write(self, request):
        """Sends a request; returns when the next one may be written."""
        cdef COutgoingMessages* outgoing
        self._channel._loop._enter()
        if self._done:
            raise InvalidStateError("RPC already finished.")
        if self._half_closed:
            raise InvalidStateError(self._half_closed_text)
        if not self._enqueue(request):
            self._check_status()
            raise InvalidStateError("RPC already finished.")
        outgoing = self._call.outgoing()
        if not outgoing.MustWait():
            return
        try:
            if await _wait_until_sent(outgoing, self._channel._loop, self._event_loop):
                return
            await self._learn_status()
        except CancelledError:
            self.cancel()
            raise
        self._check_status()
        raise InvalidStateError("RPC already finished.")

    async def _learn_status(self):
        """After a failed write: waits for the status, which says why, if it can come.

        It comes behind the responses. Those that nobody has read are kept; when there
        are too many of them it stays unknown.
        """
        if self._response_streaming:
            self._call.incoming().ReadAhead()
        while not (self._done or self._call.is_done()):
            if self._response_streaming and not self._call.incoming().has_room():
                return
            await self._progress_future()
        self._finish_from_core()

    def _push(self, request):
        """As _write, but returns what to await instead, and does not hold the call.

        The result is None when there is nothing to wait for, else a future of whether
        the call goes on.
        """
        cdef COutgoingMessages* outgoing
        if self._done or not self._enqueue(request):
            return _ready(False)
        outgoing = self._call.outgoing()
        if not outgoing.MustWait():
            return None
        return _wait_until_sent(outgoing, self._channel._loop, self._event_loop)

    def _half_close(self):
        """Says that no request follows. Idempotent."""
        self._channel._loop._enter()
        if self._done or self._half_closed:
            return
        self._half_closed = True
        self._call.HalfClose()


cdef class ResponseIterator:
    """Iterates over the responses of a call; several may take turns."""

    cdef ClientStream _call

    def __init__(self, ClientStream call):
        self._call = call

    def __aiter__(self):
        return self

    def __anext__(self):
        call = self._call
        if call is not None:
            call._channel._loop._enter()
        if call is not None and not call._at_end and call._call.incoming().has_message():
            return _ready(call._take_message())
        return self._wait()

    async def _wait(self):
        call = self._call
        if call is None or call._iterated:
            raise StopAsyncIteration
        try:
            response = await call._wait_for_response(False)
        except BaseException:
            call._iterated = True
            raise
        if response is call._end_of_stream:
            call._iterated = True
            raise StopAsyncIteration
        return response

    async def aclose(self):
        """Ends the iteration, not the call."""
        self._call = None
