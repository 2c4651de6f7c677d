# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Threads for what programs give uvgrpc to call and what may block."""

from __future__ import annotations

import collections
import os
import threading
from collections.abc import Callable

# How much runs at the same time; more than that waits.
_MAX_THREADS = 64


class _Threads:
    """Daemon threads that live as long as there is work.

    Daemons, because a plugin that hangs must not keep the interpreter from exiting.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._work: collections.deque[Callable[[], None]] = collections.deque()
        self._running = 0

    def run(self, work: Callable[[], None]) -> None:
        """Runs `work`, which must not raise, on a thread."""
        with self._lock:
            self._work.append(work)
            if self._running == _MAX_THREADS:
                return
            self._running += 1
        try:
            threading.Thread(target=self._serve, name="uvgrpc-plugin", daemon=True).start()
        except BaseException:
            with self._lock:
                self._running -= 1
                # Another thread may do it, or have done it.
                if self._running == 0 and work in self._work:
                    self._work.remove(work)
                    raise

    def _serve(self) -> None:
        while True:
            with self._lock:
                if not self._work:
                    self._running -= 1
                    return
                work = self._work.popleft()
            work()
            # Not kept until the next one comes.
            del work


_threads = _Threads()


def _forget_threads() -> None:
    """A forked child has none of its parent's threads."""
    global _threads
    _threads = _Threads()


os.register_at_fork(after_in_child=_forget_threads)


def run_on_thread(work: Callable[[], None]) -> None:
    """Runs `work`, which must not raise, on a thread. Any thread.

    Raises:
      RuntimeError: no thread can be started.
    """
    _threads.run(work)
