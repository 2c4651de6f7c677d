# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""A server that stops, whether or not anybody waits for it."""

from __future__ import annotations

import asyncio

from uvgrpc import _core


class Stopping:
    """Has a server refuse new RPCs, lets those under way finish for a time, and aborts them.

    It goes on until no RPC is left, also when the one who asked for it has gone: it is held
    by the future that core's shutdown resolves, and by the loop while time is left.

    Args:
      core: the server.
      stopped: set when it is over.
    """

    def __init__(self, core: _core.Server, stopped: asyncio.Event) -> None:
        self._core = core
        self._stopped = stopped
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        core.shutdown().add_done_callback(self._over)

    def hurry(self, grace: float | None) -> None:
        """Aborts the RPCs that are left after `grace` seconds; at once without any.

        Of several calls the one that ends first decides.
        """
        if self._stopped.is_set():
            return
        if grace is None or grace <= 0:
            self._abort()
            return
        when = self._loop.time() + grace
        if self._timer is None or when < self._timer.when():
            self._forget_timer()
            self._timer = self._loop.call_at(when, self._abort)

    def _abort(self) -> None:
        self._forget_timer()
        self._core.cancel_all_calls()

    def _over(self, _: asyncio.Future[None]) -> None:
        self._forget_timer()
        self._stopped.set()

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
