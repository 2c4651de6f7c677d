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
            try:
                return _ready(self._context._take_message())
            except StopAsyncIteration as error:
                # A deserializer's mistake, which must not look like the end of the stream.
                raise RuntimeError("the request deserializer raised StopAsyncIteration") from error
        return self._wait()

    async def _wait(self):
        self._context._check_running()
        if self._context._request_taken and not self._context._request_streaming:
            raise StopAsyncIteration
        try:
            request = await self._context._wait_for_request(False)
        except StopAsyncIteration as error:
            raise RuntimeError("the request deserializer raised StopAsyncIteration") from error
        if request is self._context._end_of_stream:
            raise StopAsyncIteration
        return request


cdef extern from "Python.h":
    PySendResult PyIter_Send(object, object, PyObject**) noexcept


# A context variable, once somebody asks for it: setting it costs an RPC 3 % of its time.
cdef object _current_rpc = None


def keep_current_rpc(variable):
    """Has `variable`, a context variable, hold the ServicerContext of the RPC that is served.

    In handlers from their next step on, and in the one that calls this from here on. Tasks take it
    along that are made then.
    """
    global _current_rpc
    _current_rpc = variable
    if _get_running_loop() is None:
        return
    task = current_task()
    if task is not None and isinstance(task.get_coro(), _Serving):
        (<_Serving>task.get_coro())._keep_current_rpc()


# Without a tp_clear: the garbage collector must leave it what its end needs.
@cython.freelist(64)
@cython.no_gc_clear
cdef class _Serving:
    """The coroutine of the task that serves an RPC.

    It runs _serve(), and takes the RPC off the server's books whatever ends it: the end
    of _serve(), a task that is cancelled before its first step, which would never enter
    a coroutine, or a task that is dropped, or was never made.
    """

    cdef ServicerContext _context
    cdef object _method
    cdef bint _needs_look_up
    cdef bint _is_full
    cdef object _steps  # what _serve() returned, once it was called
    cdef bint _has_waited
    cdef bint _is_kept  # in _current_rpc
    cdef bint _is_over

    def __dealloc__(self):
        # A context that the garbage collector has cleared was on no books: it goes with its server.
        if not self._is_over and self._context._server is not None:
            self._end()

    @property
    def __name__(self):
        return self._context._method_name if self._context is not None else "serve"

    def __await__(self):
        return self

    def __iter__(self):
        return self

    def __next__(self):
        return self.send(None)

    def send(self, value):
        cdef PyObject* result = NULL
        cdef PySendResult status = self._advance(value, &result)
        if status == PYGEN_ERROR:
            _reraise()
        outcome = <object>result
        Py_DECREF(outcome)
        if status == PYGEN_NEXT:
            return outcome
        raise StopIteration(outcome)

    cdef int _keep_current_rpc(self) except -1:
        if not self._is_kept:
            self._is_kept = True
            PyContextVar_Set(_current_rpc, self._context)
        return 0

    cdef PySendResult _advance(self, object value, PyObject** result) noexcept:
        """As PyIter_Send: an error leaves its exception set."""
        cdef PySendResult status
        if self._steps is None:
            if self._is_over:
                PyErr_SetString(RuntimeError, "cannot reuse already awaited coroutine")
                return PYGEN_ERROR
            self._steps = _serve(self._context, self._method, self._needs_look_up, self._is_full)
        if _current_rpc is not None:
            self._keep_current_rpc()
        status = PyIter_Send(self._steps, value, result)
        if _forgets_loop and self._context._task is None:
            # A first step inside the making of its task, which would lose an exit for asyncio's complaint.
            _remember_loop(self._context._event_loop)
        if status != PYGEN_NEXT:
            self._end()
        elif not self._has_waited:
            self._has_waited = True
            self._context._call.WaitForEnd()
        return status

    def throw(self, kind, value=None, traceback=None):
        if self._steps is None:
            if self._is_over:
                raise RuntimeError("cannot reuse already awaited coroutine")
            # The handler was never entered.
            error = kind if value is None else value
            if isinstance(error, CancelledError) or error is CancelledError:
                self._end(_CANCELLED)
            else:
                self._end()
            raise error
        try:
            return self._steps.throw(kind) if value is None else self._steps.throw(kind, value, traceback)
        except BaseException:
            self._end()
            raise

    def close(self):
        if self._steps is not None:
            self._steps.close()
        self._end()

    cdef void _end(self, int unanswered=_INTERNAL) noexcept:
        """An RPC that has no answer yet gets a status. Whatever exception is set stays so."""
        cdef PyObject* error[3]
        if self._is_over:
            return
        self._is_over = True
        context = self._context
        self._context = None
        self._method = None
        self._steps = None
        PyErr_Fetch(&error[0], &error[1], &error[2])
        try:
            if context._server._loop._may_enter():
                context._leave(unanswered)
            else:
                # The garbage collector runs in any thread.
                context._event_loop.call_soon_threadsafe(_leave_later, context, unanswered)
        except BaseException:
            _log.exception("forgetting an RPC")
        PyErr_Restore(error[0], error[1], error[2])


def _leave_later(ServicerContext context, int unanswered):
    context._leave(unanswered)


cdef int _reraise() except -1:
    """The exception is set already."""
    return -1


cdef PySendResult _send_to_serving(PyObject* serving, PyObject* value, PyObject** result) noexcept:
    return (<_Serving>serving)._advance(<object>value, result)


# asyncio's tasks then learn of a handler's end without an exception that says so.
(<PyTypeObject*>_Serving).tp_as_async.am_send = &_send_to_serving


cdef _Serving _new_serving(ServicerContext context, method, bint needs_look_up, bint is_full):
    serving = <_Serving>_Serving.__new__(_Serving)
    serving._context = context
    serving._method = method
    serving._needs_look_up = needs_look_up
    serving._is_full = is_full
    return serving


async def _look_up(ServicerContext context, Method method, bint is_full):
    """The method whose handler is to run; None when the RPC has its answer already."""
    server = context._server
    path = context._method_name
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


cdef str _wrong_response(Method method, bint was_sent):
    """What is wrong with the result of a handler that takes only the context."""
    if method.response_streaming:
        return f"the handler of {method.name} returned a message: its responses are a stream, send() them"
    if was_sent:
        return f"the handler of {method.name} returned a second response"
    return f"the handler of {method.name} neither returned its response nor sent one"


async def _serve(ServicerContext context, Method method, bint needs_look_up, bint is_full):
    """Runs the handler of an RPC and answers it. A _Serving runs this."""
    cdef CServerCall* call = context._call
    try:
        if needs_look_up:
            method = await _look_up(context, method, is_full)
            if method is None:
                return
        context._request_streaming = method.request_streaming
        context._response_streaming = method.response_streaming
        context._request_deserializer = method._request_deserializer
        context._response_serializer = method._response_serializer
        if method.request_streaming:
            request = None if method._kind == _BLOCKING else RequestIterator(context)
        else:
            while not call.incoming().has_message():
                if call.incoming().at_end():
                    context._send_reply(_INTERNAL, "The client sent no request message.")
                    return
                await _wait_for_message(call.incoming(), context._server._loop, context._event_loop)
            if method._kind != _MESSAGES:
                request = context._take_message()
        if method._kind == _ASYNC_GENERATOR and not method.response_streaming:
            raise TypeError(
                f"the handler of {method.name} is an async generator, but the method has a single response: "
                "its handler must return it, not yield it"
            )
        if method._kind == _COROUTINE:
            response = await method.behavior(request, context)
        elif method._kind == _MESSAGES:
            response = await method.behavior(context)
            if context._has_response and response is None:
                response = context._response
            elif context._has_response or ((response is None) != method.response_streaming and context._status is None):
                raise TypeError(_wrong_response(method, context._has_response))
        elif method._kind == _BLOCKING:
            if not context._may_wait_for_thread():
                return
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
        if not context._is_done():
            context._send_reply(_CANCELLED, context._status_details)
    except Exception as error:
        context._handle_error(error)
