# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
# Part of _core.pyx: what a task waits for.


cdef extern from "Python.h":
    int PyContext_Enter(object) except -1
    int PyContext_Exit(object) except -1

    ctypedef enum PySendResult:
        PYGEN_RETURN
        PYGEN_ERROR
        PYGEN_NEXT

    ctypedef struct PyAsyncMethods:
        PySendResult (*am_send)(PyObject*, PyObject*, PyObject**) noexcept

    ctypedef struct PyTypeObject:
        PyAsyncMethods* tp_as_async
        PyObject* (*tp_iternext)(PyObject*) noexcept


cdef void _set_stop_iteration(object result) noexcept:
    """The end of an iterator with a result: what `raise StopIteration(result)` does, without a traceback.

    To be followed by the return of NULL from a tp_iternext.
    """
    if result is None:
        return
    if isinstance(result, (tuple, BaseException)):
        result = StopIteration(result)
    PyErr_SetObject(StopIteration, result)


cdef class _Ready:
    """An awaitable that has its result already: awaiting it does not suspend."""

    cdef object _result

    def __await__(self):
        return self

    def __iter__(self):
        return self

    def __next__(self):
        raise StopIteration(self._result)


cdef PyObject* _end_ready(PyObject* ready) noexcept:
    _set_stop_iteration((<_Ready>ready)._result)
    return NULL


# Every message that waits for its reader comes this way.
(<PyTypeObject*>_Ready).tp_iternext = &_end_ready

# For those who have nothing to wait for.
cdef _Ready _DONE = _Ready()


cdef _Ready _ready(object result):
    ready = <_Ready>_Ready.__new__(_Ready)
    ready._result = result
    return ready


@cython.final
@cython.freelist(256)
cdef class _Waiter:
    """A future, as far as a task that waits for it can tell, but for when the task goes on.

    asyncio's put it into the ready queue; this one resumes it at once when a delivery
    resolves it, a turn of the loop earlier. Not in debug mode, which times callbacks;
    nor when code of the program resolves it, by cancelling a call for one: its own task
    may be under way.
    """

    cdef Loop _loop
    cdef object _event_loop
    cdef object _result
    cdef object _message  # of the cancellation
    # Of whoever waits, and the context to call it in; the list is of more than one.
    cdef object _callback
    cdef object _variables
    cdef list _others
    cdef bint _done
    cdef bint _cancelled
    # How a task knows a future.
    cdef public bint _asyncio_future_blocking

    def __await__(self):
        return self

    def __iter__(self):
        return self

    def __next__(self):
        if self._done:
            raise StopIteration(self.result())
        self._asyncio_future_blocking = True
        return self

    def get_loop(self):
        return self._event_loop

    def done(self):
        return self._done

    def cancelled(self):
        return self._cancelled

    def result(self):
        if self._cancelled:
            raise CancelledError() if self._message is None else CancelledError(self._message)
        if not self._done:
            raise InvalidStateError("Result is not set.")
        return self._result

    def exception(self):
        self.result()
        return None

    def add_done_callback(self, callback, *, context=None):
        if context is None:
            context = PyContext_CopyCurrent()
        if self._done:
            self._event_loop.call_soon(callback, self, context=context)
        elif self._callback is None:
            self._callback = callback
            self._variables = context
        else:
            if self._others is None:
                self._others = []
            self._others.append((callback, context))

    def remove_done_callback(self, callback):
        entries = self._take_callbacks()
        kept = [entry for entry in entries if entry[0] != callback]
        for entry in kept:
            self.add_done_callback(entry[0], context=entry[1])
        return len(entries) - len(kept)

    def cancel(self, msg=None):
        if self._done:
            return False
        self._done = self._cancelled = True
        self._message = msg
        self._schedule_callbacks()
        return True

    cdef list _take_callbacks(self):
        """All of them, with their contexts; none is left."""
        entries = [] if self._callback is None else [(self._callback, self._variables)]
        if self._others is not None:
            entries += self._others
        self._callback = self._variables = self._others = None
        return entries

    cdef _schedule_callbacks(self):
        for callback, variables in self._take_callbacks():
            self._event_loop.call_soon(callback, self, context=variables)

    cdef _resolve(self, object result, bint delivered):
        if self._done:
            return
        self._done = True
        self._result = result
        if self._callback is None:
            return
        if not (delivered and self._loop._resumes) or self._others is not None:
            self._schedule_callbacks()
            return
        callback, variables = self._callback, self._variables
        self._callback = self._variables = None
        _step(self._loop, callback, <PyObject*>self, variables)

    def __repr__(self):
        state = "cancelled" if self._cancelled else "done" if self._done else "pending"
        return f"<uvgrpc wait {state}>"


cdef PyObject* _next_of_waiter(PyObject* waiter) noexcept:
    """__next__(), without a traceback for a result."""
    if (<_Waiter>waiter)._done and not (<_Waiter>waiter)._cancelled:
        _set_stop_iteration((<_Waiter>waiter)._result)
        return NULL
    return _slow_next_of_waiter(waiter)


cdef PyObject* (*_slow_next_of_waiter)(PyObject*) noexcept
_slow_next_of_waiter = (<PyTypeObject*>_Waiter).tp_iternext
(<PyTypeObject*>_Waiter).tp_iternext = &_next_of_waiter


cdef _step(Loop loop, callback, PyObject* waiter, variables):
    """Runs a step of a task here and now, in a delivery."""
    cdef PyObject* outcome
    # A loop inside the task delivers to tasks that are inside of it.
    loop._resumes = False
    try:
        PyContext_Enter(variables)
        outcome = CStepTask(<PyObject*>callback, waiter)
        PyContext_Exit(variables)
    finally:
        loop._resumes = True
    if outcome == NULL:
        if _forgets_loop:
            try:
                _reraise()
            except BaseException as error:
                problem = _exit_of_child(loop._event_loop(), error)
            if problem is None:
                return
            PyErr_SetObject(type(problem), problem)
        # Exits are for the event loop.
        loop._context.get().NoteException()
    else:
        Py_DECREF(<object>outcome)


cdef _Waiter _new_waiter(Loop loop, object event_loop):
    waiter = <_Waiter>_Waiter.__new__(_Waiter)
    waiter._loop = loop
    waiter._event_loop = event_loop
    return waiter


cdef _wake(list futures, bint delivered):
    """Resolves those that nobody has cancelled meanwhile."""
    for future in futures:
        if type(future) is _Waiter:
            (<_Waiter>future)._resolve(None, delivered)
        elif not future.done():
            future.set_result(None)


cdef _forget_done(list futures):
    """Drops those that nobody waits for any more: the last ones always, all of them now and then."""
    while futures and futures[-1].done():
        futures.pop()
    cdef Py_ssize_t count = len(futures)
    # A power of two: seldom enough for many to wait, and what has gathered is bounded.
    if count >= 8 and count & (count - 1) == 0:
        futures[:] = [future for future in futures if not future.done()]


cdef void _resolve(PyObject* owner, cbool result) noexcept:
    """Only deliveries call it."""
    future = <object>owner
    try:
        if type(future) is _Waiter:
            (<_Waiter>future)._resolve(result, True)
        elif not future.done():
            future.set_result(result)
    except BaseException:
        _log.exception("resolving a future")


cdef cbool _is_done(PyObject* owner) noexcept:
    if type(<object>owner) is _Waiter:
        return (<_Waiter>owner)._done
    return (<object>owner).done()
