# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""run(): an event loop with everything in place."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

from uvgrpc._rpc.server import GRACE
from uvgrpc._runtime.loop import servers_of
from uvgrpc._under_grpc.install import install

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T], *, debug: bool | None = None, grace: float = GRACE) -> T:
    """Runs `main` on a new uvloop event loop, on which grpc.aio is uvgrpc, too (see install()).

    SIGTERM drains: all servers of the loop refuse new RPCs and let those under way finish, each for
    its own `grace`. `main` then has as long as `grace` to return, before it is cancelled; a second
    SIGTERM cancels it at once. Without servers it is cancelled at once. SIGINT cancels it, as
    with asyncio.run(). Signals are dealt with in the main thread only.

    Args:
      main: a coroutine.
      debug: asyncio's debug mode; None for what PYTHONASYNCIODEBUG says.
      grace: seconds that servers of grpc.aio's kind have to drain, and `main` afterwards.

    Returns:
      What `main` returns.

    Raises:
      ValueError: `main` is not a coroutine, or `grace` is negative.
      RuntimeError: an event loop runs in this thread.
      SystemExit: `main` had to be cancelled because of SIGTERM; with 128 + 15 as its code.
    """
    if not asyncio.iscoroutine(main):
        raise ValueError(f"a coroutine was expected, got {main!r}")
    if not grace >= 0:
        main.close()
        raise ValueError(f"grace must be a number of seconds that is not negative, got {grace!r}")
    if asyncio._get_running_loop() is not None:
        main.close()
        raise RuntimeError("uvgrpc.run() cannot be called while an event loop runs in the same thread")
    install()
    with asyncio.Runner(debug=debug, loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_until_terminated(main, grace))


async def _until_terminated(main: Coroutine[Any, Any, T], grace: float) -> T:
    if threading.current_thread() is not threading.main_thread():
        return await main
    drain = _Drain(grace)
    event_loop = asyncio.get_running_loop()
    event_loop.add_signal_handler(signal.SIGTERM, drain.begin)
    try:
        return await main
    except asyncio.CancelledError:
        if drain.has_cancelled:
            raise SystemExit(128 + signal.SIGTERM) from None
        raise
    finally:
        drain.end()
        event_loop.remove_signal_handler(signal.SIGTERM)


class _Drain:
    """What SIGTERM sets off. To be made in the task that it is to end."""

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._loop = asyncio.get_running_loop()
        self._main = asyncio.current_task()
        self._draining: asyncio.Task[None] | None = None
        self.has_cancelled = False

    def begin(self) -> None:
        """For the first signal; another one is impatient."""
        if self._draining is None:
            self._draining = self._loop.create_task(self._drain(), name="uvgrpc.run: SIGTERM")
        else:
            self._cancel()

    def end(self) -> None:
        """The main task is over."""
        if self._draining is not None:
            self._draining.cancel()

    async def _drain(self) -> None:
        servers = servers_of(self._loop)
        if servers:
            graces = [getattr(server, "grace", self._grace) for server in servers]
            await asyncio.gather(*(server.stop(each) for server, each in zip(servers, graces, strict=True)))
            await asyncio.sleep(self._grace)  # or until end()
        self._cancel()

    def _cancel(self) -> None:
        if self._main is not None and not self._main.done():
            self.has_cancelled = True
            self._main.cancel()
