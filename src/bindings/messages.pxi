# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
# Part of _core.pyx: what the streams of clients and servers share.


cdef class _Ready:
    """An awaitable that has its result already: awaiting it does not suspend."""

    cdef object _result

    def __await__(self):
        return self

    def __iter__(self):
        return self

    def __next__(self):
        raise StopIteration(self._result)


cdef _Ready _ready(object result):
    ready = <_Ready>_Ready.__new__(_Ready)
    ready._result = result
    return ready


cdef object _take_bytes(CIncomingMessages* messages):
    """The next message as bytes, or None when there is none at present."""
    cdef grpc_byte_buffer* message = messages.Take()
    if message == NULL:
        return None
    try:
        return CBytesFromByteBuffer(message)
    finally:
        grpc_byte_buffer_destroy(message)


cdef object _wait_for_message(CIncomingMessages* messages, object event_loop):
    """A future that resolves when there is a message, or none will come."""
    future = Future(loop=event_loop)
    messages.Wait(<PyObject*>future)
    return future


cdef object _wait_until_sent(COutgoingMessages* messages, object event_loop):
    """A future of whether all that was written has gone to core."""
    future = Future(loop=event_loop)
    messages.Wait(<PyObject*>future)
    return future


cdef _check_bytes(object message, str what):
    if not isinstance(message, bytes):
        raise TypeError(f"a serialized {what} must be bytes, got {type(message).__name__}")
