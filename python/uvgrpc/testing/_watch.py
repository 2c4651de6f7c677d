# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Watches the loop of a test for what the test leaves there."""

from __future__ import annotations

import asyncio
import time
import weakref
from collections import Counter
from typing import Any

from uvgrpc import _core
from uvgrpc._runtime.loop import existing_core_loop
from uvgrpc.testing._leaks import PATIENCE, calls_on, open_on, what_stays


class LoopWatch:
    """Begins with the coroutine of a test, in its loop."""

    def __init__(self) -> None:
        event_loop = asyncio.get_running_loop()
        self._event_loop = weakref.ref(event_loop)
        self._calls = Counter(calls_on(event_loop))
        self._tasks = weakref.WeakSet(asyncio.all_tasks())
        self._sockets = set(_core.open_sockets())
        self._open: list[str] = []

    async def running(self) -> list[str]:
        """What the test has left running: calls and tasks. At the end of its coroutine."""
        event_loop = self._event_loop()
        assert event_loop is not None
        if existing_core_loop(event_loop) is None:
            return []
        left = await what_stays(lambda: [*self._new_calls(), *self._new_tasks()])
        self._look_at_close(event_loop)
        return left

    def _new_calls(self) -> list[str]:
        event_loop = self._event_loop()
        assert event_loop is not None
        return list((Counter(calls_on(event_loop)) - self._calls).elements())

    def _new_tasks(self) -> list[str]:
        own = asyncio.current_task()
        return [
            f"the task {task.get_name()} ({_name_of(task)})"
            for task in asyncio.all_tasks()
            if task is not own and task not in self._tasks and not _is_handler(task)
        ]

    def _look_at_close(self, event_loop: asyncio.AbstractEventLoop) -> None:
        """Has it noted what is open when the loop is closed, which ends that."""
        attributes = vars(event_loop)
        close = event_loop.close

        def look_and_close() -> None:
            if not event_loop.is_running():
                attributes["close"] = close
                self._open = open_on(event_loop)
            close()

        attributes["close"] = look_and_close

    def open(self) -> list[str]:
        """What was open when the loop was closed, or still is: channels, servers, handles, sockets.

        When all of the test is over; empty if its loop goes on.
        """
        event_loop = self._event_loop()
        if event_loop is None or not event_loop.is_closed():
            return []
        native = existing_core_loop(event_loop)
        if native is None:
            return []
        left = list(self._open)
        if native.handle_count:
            left.append(f"handles of libuv: {native.describe_handles()}")
        deadline = time.monotonic() + PATIENCE
        # The other end of a connection may be another thread's.
        while (sockets := set(_core.open_sockets()) - self._sockets) and time.monotonic() < deadline:
            time.sleep(0.002)
        left += [f"the socket with the descriptor {descriptor}" for descriptor in sorted(sockets)]
        return left


def _name_of(task: asyncio.Task[Any]) -> str:
    coroutine = task.get_coro()
    return str(getattr(coroutine, "__qualname__", None) or type(coroutine).__name__)


def _is_handler(task: asyncio.Task[Any]) -> bool:
    return type(task.get_coro()).__name__ == "_Serving"
