# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
# Part of _core.pyx: what the streams of clients and servers share.


cdef object _take_bytes(CIncomingMessages* messages):
    """The next message as bytes, or None when there is none at present."""
    cdef grpc_byte_buffer* message = messages.Take()
    if message == NULL:
        return None
    try:
        return CBytesFromByteBuffer(message)
    finally:
        grpc_byte_buffer_destroy(message)


cdef _Waiter _wait_for_message(CIncomingMessages* messages, Loop loop, object event_loop):
    """Resolves when there is a message, or none will come."""
    waiter = _new_waiter(loop, event_loop)
    messages.Wait(<PyObject*>waiter)
    return waiter


cdef _Waiter _wait_until_sent(COutgoingMessages* messages, Loop loop, object event_loop):
    """Resolves with whether all that was written has gone to core."""
    waiter = _new_waiter(loop, event_loop)
    messages.Wait(<PyObject*>waiter)
    return waiter


# The length of a message goes before it in four bytes.
cdef Py_ssize_t _MAX_MESSAGE = 0xFFFFFFFF


cdef int _check_bytes(object message, str what, object serializer) except -1:
    if not isinstance(message, bytes):
        kind = type(message).__name__
        if serializer is None:
            raise TypeError(f"a {what} without a serializer must be bytes, got {kind}")
        name = getattr(serializer, "__qualname__", serializer)
        raise TypeError(f"the serializer of the {what}, {name}, must return bytes, but returned {kind}")
    if len(<bytes>message) > _MAX_MESSAGE:
        raise ValueError(
            f"a {what} of {len(<bytes>message)} bytes is too large: gRPC's framing ends at 4 GiB, send it in parts"
        )
    return 0
