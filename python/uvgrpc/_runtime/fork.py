# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""fork(): the child lets go of all that its parent has open.

The parent notices nothing. In the child the parent's connections and ports are
gone: its sockets lead nowhere, its servers are stopped, and channels connect anew on
the next loop that uses them.

As with any library, a fork() is safe only while no other thread is inside it: while
no other thread runs a loop that uvgrpc is used on.
"""

from __future__ import annotations

import asyncio
import os
import sys
import weakref
from typing import Any, Protocol

from uvgrpc import _core


class Bound(Protocol):
    """What is tied to a loop of this process."""

    def _leave_parent(self) -> Any:
        """Forgets the loop of the parent; returns what it had there."""


_bound: weakref.WeakSet[Bound] = weakref.WeakSet()

# Those that uvgrpc is used on.
_event_loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _core.Loop] = weakref.WeakKeyDictionary()

# What a child has of its parent's. Kept: its destruction is no business of fork()'s.
_left_behind: list[Any] = []


def leave_in_child(target: Bound) -> None:
    """Has `target` told in the child of a fork(). Held weakly."""
    _bound.add(target)


def can_be_left_in_child(event_loop: asyncio.AbstractEventLoop, core_loop: _core.Loop) -> None:
    """Lets the child of a fork() leave `event_loop` by the exit of a task. Held weakly."""
    _event_loops[event_loop] = core_loop


def _let_exits_out(event_loop: asyncio.AbstractEventLoop) -> None:
    """Sees to it that an exit leaves the task that forked, and with it `event_loop`, which runs.

    CPython 3.14 forgets in the child that the loop runs, as the child may run one of its own, but
    insists on it at the end of the task's step. All that the loop gets to see of an exit is then
    asyncio's complaint, and it would go on without a task that can run.
    """
    report = event_loop.get_exception_handler()

    def handle(event_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        # Of a callback of the loop: so what forked is not on the stack any more.
        if "handle" in context and isinstance(error, RuntimeError) and asyncio._get_running_loop() is None:
            asyncio._set_running_loop(event_loop)
            if event_loop.get_exception_handler() is handle:
                event_loop.set_exception_handler(report)
            if isinstance(error.__context__, (SystemExit, KeyboardInterrupt)):
                raise error.__context__ from error.__context__.__cause__
            if "is not the running loop" in str(error):
                return
        if report is None:
            event_loop.default_exception_handler(context)
        else:
            report(event_loop, context)

    event_loop.set_exception_handler(handle)


def _nothing() -> None:
    """A callback."""


def _after_in_child() -> None:
    for event_loop, core_loop in _event_loops.items():
        if core_loop.leave_parent():
            # What the parent was woken for, and the child has as well.
            event_loop.call_soon_threadsafe(_nothing)
    _core.replace_sockets()
    _left_behind.extend(target._leave_parent() for target in _bound)
    _bound.clear()
    if sys.version_info >= (3, 14):
        for event_loop in _event_loops:
            if event_loop.is_running():
                _let_exits_out(event_loop)


os.register_at_fork(after_in_child=_after_in_child)
