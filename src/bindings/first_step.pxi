# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
# Part of _core.pyx: tasks that begin in the delivery that makes them.


# From 3.12 on asyncio can do it by itself.
cdef bint _HAS_EAGER_START = version_info >= (3, 12)

cdef object _nothing = object()
# asyncio's type of what a new task gives to call_soon(), once known.
cdef object _step_type = None
# While a task is made: its loop and context, and then its first step.
cdef object _starting_loop = None
cdef object _starting_variables = None
cdef object _first_step = None


def _keep_first_step(callback, first=_nothing, second=_nothing, third=_nothing, *, context=None):
    """Stands in for `call_soon()` of a loop while a task is made, and keeps its first step.

    What the garbage collector or another thread has for the loop meanwhile goes there.
    """
    global _first_step, _step_type
    if _step_type is None and type(callback).__name__ == "TaskStepMethWrapper":
        _step_type = type(callback)
    if type(callback) is _step_type and context is _starting_variables:
        _first_step = callback
        return None
    event_loop = _starting_loop
    arguments = [argument for argument in (first, second, third) if argument is not _nothing]
    return type(event_loop).call_soon(event_loop, callback, *arguments, context=context)


cdef _start_task(Loop loop, event_loop, coroutine, name, variables):
    """A task that has taken its first step: a turn of the loop earlier than with asyncio.

    Only in a delivery, where no task runs.
    """
    global _first_step, _starting_loop, _starting_variables
    cdef dict attributes = event_loop.__dict__
    if _starting_loop is not None or "call_soon" in attributes:
        # Another thread makes one; or the program has a call_soon() of its own.
        return Task(coroutine, loop=event_loop, name=name, context=variables)
    if _HAS_EAGER_START:
        # A loop inside the task delivers to tasks that are inside of it. Exits of the step come out here.
        loop._resumes = False
        try:
            return Task(coroutine, loop=event_loop, name=name, context=variables, eager_start=True)
        finally:
            loop._resumes = True
    _starting_loop, _starting_variables = event_loop, variables
    attributes["call_soon"] = _keep_first_step
    try:
        task = Task(coroutine, loop=event_loop, name=name, context=variables)
    finally:
        del attributes["call_soon"]
        _starting_loop = _starting_variables = None
        step, _first_step = _first_step, None
    if step is not None:
        _step(loop, step, NULL, variables)
    return task
