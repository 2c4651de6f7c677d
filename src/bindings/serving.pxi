# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
# Part of _core.pyx: how a server's RPC goes from its handler to its status.


cdef class RequestIterator:
    """The requests of an RPC, for a handler to iterate over."""

    cdef ServicerContext _context

    def __init__(self, ServicerContext context):
        self._context = context

    def __aiter__(self):
        return self

    def __anext__(self):
        if self._context._call.incoming().has_message():
            return _ready(self._context._take_message())
        return self._wait()

    async def _wait(self):
        self._context._check_running()
        request = await self._context._wait_for_request()
        if request is self._context._end_of_stream:
            raise StopAsyncIteration
        return request


async def _look_up(ServicerContext context, Method method, bint is_full):
    """The method whose handler is to run; None when the RPC has its answer already."""
    server = context._server
    path = CStrFromSlice(context._call.generic_path()) if method is None else method.name
    context._method_name = path
    metadata = context.invocation_metadata()
    if server._intercept is None:
        handler = server._find_handler(path, metadata)
    else:
        handler = await server._intercept(path, metadata)
    if handler is None:
        context._send_reply(_UNIMPLEMENTED, "Method not found!")
    elif is_full:
        context._refuse()
    elif method is not None and method.handler is handler:
        return method
    else:
        return Method(path, handler)
    return None


async def _serve(ServicerContext context, Method method, bint needs_look_up, bint is_full):
    """Runs the handler of an RPC and ends the RPC."""
    cdef CServerCall* call = context._call
    try:
        if needs_look_up:
            method = await _look_up(context, method, is_full)
            if method is None:
                return
        context._method_name = method.name
        context._request_deserializer = method._request_deserializer
        context._response_serializer = method._response_serializer
        if method.request_streaming:
            request = None if method._kind == _BLOCKING else RequestIterator(context)
        else:
            while not call.incoming().has_message():
                if call.incoming().at_end():
                    context._send_reply(_INTERNAL, "The client sent no request message.")
                    return
                await _wait_for_message(call.incoming(), context._event_loop)
            request = context._take_message()
        if method._kind == _COROUTINE:
            response = await method.behavior(request, context)
        elif method._kind == _BLOCKING:
            response = await context._server._run_blocking(method, request, context)
        else:
            response = None
            messages = method.behavior(request, context)
            try:
                # As context.write(), without a coroutine for each message.
                async for message in messages:
                    context._check_running()
                    context._push(message)
                    if call.outgoing().MustWait():
                        await context._wait_until_sent()
            finally:
                await messages.aclose()
        if context._abort_exception is not None:
            _log.error("Abort error unexpectedly suppressed in servicer method [%s]", method.name)
            return
        if call.is_closed():
            return
        number = _OK if context._status is None else context._status_number_of(context._status)
        # With another status the response is dropped.
        if number == _OK and not method.response_streaming:
            context._push(response)
        context._send_reply(number, context._status_details)
    except CancelledError:
        # The client's doing, or the handler raised it by itself.
        if not context.done():
            context._send_reply(_CANCELLED, context._status_details)
    except Exception as error:
        context._handle_error(error)
    finally:
        context._leave()
