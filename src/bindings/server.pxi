# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
# Part of _core.pyx: servers, and how an RPC is served.


cdef enum _Kind:
    # How a handler is to be run.
    _COROUTINE
    _ASYNC_GENERATOR
    _BLOCKING
    _MESSAGES  # takes only the context, which it receives from and sends to


cdef class Method:
    """A handler as the server calls it.

    `handler` is an RpcMethodHandler of grpc's. It may have another attribute, `messages`:
    a coroutine function to call with nothing but the context.
    """

    cdef readonly object handler
    cdef readonly object behavior
    cdef object _request_deserializer
    cdef object _response_serializer
    cdef readonly str name
    cdef readonly bint request_streaming
    cdef readonly bint response_streaming
    cdef _Kind _kind

    def __init__(self, str name, handler):
        self.name = name
        self.handler = handler
        self.request_streaming = handler.request_streaming
        self.response_streaming = handler.response_streaming
        if self.request_streaming:
            behavior = handler.stream_stream if self.response_streaming else handler.stream_unary
        else:
            behavior = handler.unary_stream if self.response_streaming else handler.unary_unary
        self.behavior = behavior
        self._request_deserializer = handler.request_deserializer
        self._response_serializer = handler.response_serializer
        messages = getattr(handler, "messages", None)
        if messages is not None:
            self.behavior = messages
            self._kind = _MESSAGES
            return
        # An object may have an async __call__.
        functions = (behavior, getattr(type(behavior), "__call__", None))
        if any(map(iscoroutinefunction, functions)):
            self._kind = _COROUTINE
        elif any(map(isasyncgenfunction, functions)):
            self._kind = _ASYNC_GENERATOR
        else:
            self._kind = _BLOCKING


# create_task() of uvloop makes the same, but gives it a name of its own first.
_loop_create_task = None


cdef bint _has_plain_tasks(event_loop):
    """Whether tasks of `event_loop` are asyncio's, made as uvloop makes them."""
    global _loop_create_task
    if _loop_create_task is None:
        from uvloop.loop import Loop as base
        _loop_create_task = base.create_task
    return (
        getattr(type(event_loop), "create_task", None) is _loop_create_task
        and "create_task" not in vars(event_loop)
    )


cdef class Server:
    """A server of core's.

    Args:
      find_handler: `find_handler(path, metadata)` returns the RpcMethodHandler for a
        path that no method was added for, or None.
      intercept: `await intercept(path, metadata)` does the same for every RPC, when
        there are interceptors; else None.
      run_blocking: `await run_blocking(method, request, context)` runs a handler that
        is not async; the request is None when there is a stream of them. It calls
        context._thread_began() on the thread.
      max_waiting_rpcs: of RPCs that wait to be delivered, and of those that wait for a
        thread, no more than so many; None for no limit.
    """

    cdef CServer* _server
    cdef Loop _loop
    cdef object _event_loop
    cdef object _context_type
    cdef object _find_handler
    cdef object _intercept
    cdef object _run_blocking
    cdef list _methods
    cdef set _running
    cdef set _closing
    cdef object _limit
    # RPCs whose handlers wait for a thread, and how many may.
    cdef int _waiting
    cdef int _max_waiting
    cdef bint _hides_exceptions
    cdef bint _plain_tasks
    # The context of start(), which handlers get a copy of.
    cdef object _variables
    cdef int _counted
    cdef list _shutdown_waiters
    cdef readonly bint is_started
    cdef readonly bint is_shutting_down
    cdef readonly bint is_stopped

    def __init__(self, Loop loop, event_loop, options, context_type, find_handler, intercept, run_blocking, maximum_concurrent_rpcs, max_waiting_rpcs, cbool hides_exceptions):
        cdef CChannelArgs args
        loop._enter()
        _fill_args(&args, options)
        self._loop = loop
        self._event_loop = event_loop
        self._plain_tasks = _has_plain_tasks(event_loop)
        self._context_type = context_type
        self._find_handler = find_handler
        self._intercept = intercept
        self._run_blocking = run_blocking
        self._methods = []
        self._running = set()
        self._closing = set()
        self._limit = maximum_concurrent_rpcs
        self._hides_exceptions = hides_exceptions
        self._shutdown_waiters = []
        self._server = CServer.New(loop._context, &args, <PyObject*>self)
        if max_waiting_rpcs is not None:
            self._max_waiting = max_waiting_rpcs
            self._server.set_max_waiting(max_waiting_rpcs)
        else:
            self._max_waiting = INT_MAX

    def __dealloc__(self):
        if self._server != NULL:
            self._server.Abandon()

    def add_port(self, str address, ServerCredentials credentials not None):
        """Returns the bound port, or 0 when it cannot be bound with these credentials."""
        self._loop._enter()
        return self._server.AddPort(address.encode(), credentials._core)

    def add_socket(self, int fd, ServerCredentials credentials not None):
        """Listens on a bound socket, which stays the caller's. Returns its port, 1 for a Unix socket.

        Raises OSError if that cannot be.
        """
        self._loop._enter()
        cdef StatusOr[int] port = self._server.AddSocket(fd, credentials._core)
        if not port.ok():
            raise OSError(port.status().ToString().decode())
        return port.value()

    def add_method(self, Method method):
        """Registers a method with core, which then reads its request by itself."""
        self._server.AddMethod(method.name.encode(), not method.request_streaming)
        self._methods.append(method)

    def start(self):
        """Starts serving. Handlers run in copies of the present context."""
        self._loop._enter()
        self._variables = PyContext_CopyCurrent()
        self.is_started = True
        self._server.Start()

    def shutdown(self):
        """A future that resolves once no RPC is left. Clients are told to open no more."""
        self._loop._enter()
        future = Future(loop=self._event_loop)
        if self.is_stopped:
            future.set_result(None)
            return future
        self._shutdown_waiters.append(future)
        if not self.is_shutting_down:
            self.is_shutting_down = True
            self._server.Drain()
        return future

    def cancel_all_calls(self):
        """Aborts the RPCs that are under way, and refuses new ones. Only after shutdown()."""
        self._loop._enter()
        if not self.is_stopped:
            self._server.CancelAllCalls()

    def running_methods(self):
        """The paths of the RPCs whose handlers are not over."""
        return [(<ServicerContext>context)._method_name for context in self._running]

    cdef _accept(self, CServerCall* call, int index):
        cdef ServicerContext context = self._context_type.__new__(self._context_type)
        call.Ref()
        context._call = call
        call.set_owner(<PyObject*>context)
        context._server = self
        context._event_loop = self._event_loop
        cdef bint is_full = self._limit is not None and self._counted >= self._limit
        method = None if index < 0 else <Method>self._methods[index]
        # What answers the RPC may be no handler: that must be looked up first.
        cdef bint needs_look_up = method is None or self._intercept is not None
        if is_full and not needs_look_up:
            context._refuse()
            return
        context._method_name = CStrFromSlice(call.generic_path()) if index < 0 else (<Method>method).name
        if not is_full:
            context._is_counted = True
            self._counted += 1
        self._running.add(context)
        # From here on it sees to it that all of this is taken back.
        serving = _new_serving(context, method, needs_look_up, is_full)
        variables = PyContext_Copy(self._variables)
        try:
            task = self._new_task(serving, variables)
        except BaseException:
            # Whoever else has it, it will not be run.
            serving.close()
            raise
        if not context._handler_over:  # as it is after a task that started eagerly
            context._task = task

    cdef _new_task(self, _Serving serving, variables):
        name = serving._context._method_name
        if not self._plain_tasks or self._event_loop.get_task_factory() is not None:
            return self._event_loop.create_task(serving, name=name, context=variables)
        if self._loop._resumes:
            return _start_task(self._loop, self._event_loop, serving, name, variables)
        return Task(serving, loop=self._event_loop, name=name, context=variables)

    cdef _forget(self, ServicerContext context):
        """The handler of an RPC is over."""
        self._running.discard(context)
        if context._is_counted:
            context._is_counted = False
            self._counted -= 1

    cdef _handle_shutdown(self):
        self.is_stopped = True
        waiters = self._shutdown_waiters
        self._shutdown_waiters = []
        _wake(waiters, True)


cdef void _on_request(PyObject* owner, CServerCall* call, int method) except *:
    server = <Server>owner
    try:
        server._accept(call, method)
    except _EXITS:
        raise
    except BaseException:
        _log.exception("accepting a call")


cdef void _on_server_shutdown(PyObject* owner) except *:
    server = <Server>owner
    try:
        server._handle_shutdown()
    except _EXITS:
        raise
    except BaseException:
        _log.exception("finishing a server's shutdown")


cdef void _on_server_call_closed(PyObject* owner) except *:
    context = <ServicerContext>owner
    try:
        context._handle_closed()
    except _EXITS:
        raise
    except BaseException:
        _log.exception("closing a call")
