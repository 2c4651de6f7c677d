# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What some servers on asyncio have beside them: another loop, or a watched timer."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import program

TICK = 0.002  # seconds between two samples of the timer


@contextmanager
def second_loop(start: Callable[[], Coroutine[Any, Any, tuple[Any, int]]]) -> Iterator[None]:
    """Another server, on a loop of the same kind in a thread of its own."""
    loop_type = type(asyncio.get_running_loop())
    ready = threading.Event()
    ends: list[Callable[[], object]] = []

    async def serve() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        ends.append(lambda: loop.call_soon_threadsafe(stop.set))
        server, _port = await start()
        ready.set()
        await stop.wait()
        await server.stop(1)

    def run() -> None:
        try:
            with asyncio.Runner(loop_factory=loop_type) as runner:
                runner.run(serve())
        finally:
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait()
    if not thread.is_alive():
        raise NotImplementedError("a second loop in a thread does not serve")
    try:
        yield
    finally:
        ends[0]()
        thread.join()


@contextmanager
def timer_lag() -> Iterator[None]:
    """On SIGUSR1, tells how late the timers since the last SIGUSR1 were."""
    loop = asyncio.get_running_loop()
    lags: list[float] = []

    async def sample() -> None:
        while True:
            due = loop.time() + TICK
            await asyncio.sleep(TICK)
            lags.append(loop.time() - due)

    def tell() -> None:
        program.emit(**program.percentiles(lags))
        lags.clear()

    loop.add_signal_handler(signal.SIGUSR1, tell)
    task = asyncio.ensure_future(sample())
    try:
        yield
    finally:
        task.cancel()
        loop.remove_signal_handler(signal.SIGUSR1)
