# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
# Part of _core.pyx: servers, and how an RPC is served.


cdef class Method:
    """A handler as the server calls it."""

    cdef readonly object handler
    cdef object _behavior
    cdef object _request_deserializer
    cdef object _response_serializer
    cdef readonly str name
    cdef readonly bint is_unary_unary
    cdef bint _is_async

    def __init__(self, str name, handler):
        self.name = name
        self.handler = handler
        self.is_unary_unary = not handler.request_streaming and not handler.response_streaming
        self._behavior = behavior = handler.unary_unary
        # The second is an object with an async __call__.
        self._is_async = iscoroutinefunction(behavior) or iscoroutinefunction(
            getattr(type(behavior), "__call__", None)
        )
        self._request_deserializer = handler.request_deserializer
        self._response_serializer = handler.response_serializer


cdef class Server:
    """A server of core's.

    `find_handler(path, metadata)` returns the RpcMethodHandler for a path that no
    method was added for, or None.
    """

    cdef CServer* _server
    cdef Loop _loop
    cdef object _event_loop
    cdef object _context_type
    cdef object _find_handler
    cdef list _methods
    cdef set _running
    cdef set _closing
    cdef object _limit
    cdef list _shutdown_waiters
    cdef readonly bint is_started
    cdef readonly bint is_shutting_down
    cdef readonly bint is_stopped

    def __init__(self, Loop loop, event_loop, options, context_type, find_handler, maximum_concurrent_rpcs):
        cdef CChannelArgs args
        _fill_args(&args, options)
        self._loop = loop
        self._event_loop = event_loop
        self._context_type = context_type
        self._find_handler = find_handler
        self._methods = []
        self._running = set()
        self._closing = set()
        self._limit = maximum_concurrent_rpcs
        self._shutdown_waiters = []
        self._server = CServer.New(loop._context, &args, <PyObject*>self)

    def __dealloc__(self):
        if self._server != NULL:
            self._server.Abandon()

    def add_port(self, str address, ServerCredentials credentials not None):
        """Returns the bound port, or 0 when it cannot be bound with these credentials."""
        return self._server.AddPort(address.encode(), credentials._core)

    def add_method(self, Method method):
        """Registers a method with core, which then reads its request by itself."""
        self._server.AddMethod(method.name.encode(), method.is_unary_unary)
        self._methods.append(method)

    def start(self):
        self.is_started = True
        self._server.Start()

    def shutdown(self):
        """A future that resolves once no RPC is left. New RPCs are refused."""
        future = Future(loop=self._event_loop)
        if self.is_stopped:
            future.set_result(None)
            return future
        self._shutdown_waiters.append(future)
        if not self.is_shutting_down:
            self.is_shutting_down = True
            self._server.Shutdown()
        return future

    def cancel_all_calls(self):
        """Aborts the RPCs that are under way. Only after shutdown()."""
        if not self.is_stopped:
            self._server.CancelAllCalls()

    cdef _accept(self, CServerCall* call, int index):
        cdef ServicerContext context = self._context_type.__new__(self._context_type)
        call.Ref()
        context._call = call
        call.set_owner(<PyObject*>context)
        context._server = self
        context._event_loop = self._event_loop
        if index < 0:
            coroutine = _serve_generic(context)
        elif self._is_full():
            context._refuse()
            return
        else:
            coroutine = _serve_unary_unary(context, <Method>self._methods[index])
        self._running.add(context)
        context._task = self._event_loop.create_task(coroutine)

    cdef bint _is_full(self):
        return self._limit is not None and len(self._running) >= self._limit

    cdef _handle_shutdown(self):
        self.is_stopped = True
        waiters = self._shutdown_waiters
        self._shutdown_waiters = []
        for future in waiters:
            if not future.done():
                future.set_result(None)


cdef void _on_request(PyObject* owner, CServerCall* call, int method) noexcept:
    server = <Server>owner
    try:
        server._accept(call, method)
    except BaseException:
        _log.exception("accepting a call")


cdef void _on_server_shutdown(PyObject* owner) noexcept:
    server = <Server>owner
    try:
        server._handle_shutdown()
    except BaseException:
        _log.exception("finishing a server's shutdown")


cdef void _on_server_call_closed(PyObject* owner) noexcept:
    context = <ServicerContext>owner
    try:
        context._handle_closed()
    except BaseException:
        _log.exception("closing a call")


cdef void _resolve(PyObject* owner, cbool result) noexcept:
    future = <object>owner
    try:
        if not future.done():
            future.set_result(result)
    except BaseException:
        _log.exception("resolving a future")


async def _serve_generic(ServicerContext context):
    """Serves an RPC whose method core does not know."""
    try:
        path = CStrFromSlice(context._call.generic_path())
        context._method_name = path
        try:
            handler = context._server._find_handler(path, context.invocation_metadata())
        except Exception as error:
            context._handle_error(error)
            return
        if handler is None:
            context._send_reply(_UNIMPLEMENTED, "Method not found!", None)
            return
        limit = context._server._limit
        if limit is not None and len(context._server._running) > limit:
            context._refuse()
            return
        method = Method(path, handler)
        if method.is_unary_unary:
            future = Future(loop=context._event_loop)
            context._call.ReceiveMessage(<PyObject*>future)
            await future
        await _serve_unary_unary(context, method)
    except CancelledError:
        if not context.done():
            context._send_reply(_CANCELLED, "", None)
    finally:
        context._leave()


async def _serve_unary_unary(ServicerContext context, Method method):
    """Runs a handler of one request and one response."""
    context._method_name = method.name
    try:
        if not method.is_unary_unary:
            context._send_reply(_UNIMPLEMENTED, "uvgrpc does not serve streams yet", None)
            return
        if not method._is_async:
            context._send_reply(
                _UNIMPLEMENTED, "uvgrpc does not serve handlers that are not async yet", None
            )
            return
        data = context._request_bytes()
        if data is None:
            context._send_reply(_INTERNAL, "The client sent no request message.", None)
            return
        deserializer = method._request_deserializer
        request = data if deserializer is None else deserializer(data)
        response = await method._behavior(request, context)
        if context._abort_exception is not None:
            _log.error("Abort error unexpectedly suppressed in servicer method [%s]", method.name)
            return
        if context._call.is_closed():
            return
        number = _OK if context._status is None else context._status_number_of(context._status)
        if number == _OK:
            serializer = method._response_serializer
            if serializer is not None:
                response = serializer(response)
            context._send_reply(_OK, context._status_details, response)
        else:
            context._send_reply(number, context._status_details, None)
    except CancelledError:
        # The client's doing, or the handler raised it by itself.
        if not context.done():
            context._send_reply(_CANCELLED, context._status_details, None)
    except Exception as error:
        if error is not context._abort_exception:
            context._handle_error(error)
    finally:
        context._leave()
