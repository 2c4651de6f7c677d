# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Child processes: pinned to a core, speaking JSON lines, never outliving the harness."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from harness.errors import BenchError, NotHere, NotYet

ANY_CORE = -1  # where the scheduler likes
NOT_YET = 3  # the exit code in bench/peers/program.py
START_TIMEOUT = 30.0
STOP_TIMEOUT = 15.0


def pinned(core: int, *, urgent: bool = False) -> Callable[[], None]:
    """What a new process does first; an urgent one goes before others of its core, if it may."""

    def prepare() -> None:
        if core != ANY_CORE:
            os.sched_setaffinity(0, {core})
        if urgent:
            with contextlib.suppress(PermissionError):
                os.setpriority(os.PRIO_PROCESS, 0, -20)

    return prepare


class Child:
    """A running program. As a context manager it is ended, at the latest by SIGKILL, on exit."""

    def __init__(
        self,
        command: Sequence[str],
        core: int,
        environment: Mapping[str, str] | None = None,
        *,
        urgent: bool = False,
    ):
        self._title = os.path.basename(next((part for part in command if part.endswith(".py")), command[0]))
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  (closed in __exit__)
        self._buffer = b""
        self._process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **(environment or {})},
            preexec_fn=pinned(core, urgent=urgent),  # before the program can start threads
        )
        assert self._process.stdout is not None
        self._output = self._process.stdout

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._output.close()
        self._errors.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def line(self, timeout: float = START_TIMEOUT) -> dict[str, Any]:
        """The next JSON line; NotYet, NotHere or BenchError if the program says so, ends or is silent."""
        raw = self._read_line(timeout)
        if raw is None:
            self._fail(f"printed nothing for {timeout:.0f} s")
        if not raw:
            self._process.wait(STOP_TIMEOUT)
            self._fail("ended without an answer")
        try:
            answer = json.loads(raw)
        except ValueError:
            self._fail(f"printed {raw!r} instead of JSON")
        if not isinstance(answer, dict):
            self._fail(f"printed {raw!r} instead of a JSON object")
        if "not_yet" in answer:
            raise NotYet(str(answer["not_yet"]))
        if "not_here" in answer:
            raise NotHere(str(answer["not_here"]))
        return answer

    def poke(self) -> dict[str, Any]:
        """What the program tells on SIGUSR1."""
        self._process.send_signal(signal.SIGUSR1)
        return self.line()

    def stop(self) -> dict[str, Any]:
        """Ask a server to end; what it says it has left over."""
        self._process.send_signal(signal.SIGTERM)
        last = self.line(STOP_TIMEOUT)
        self.finish(STOP_TIMEOUT)
        return last

    def finish(self, timeout: float) -> None:
        """Wait for the program to end by itself, successfully."""
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._fail(f"did not end within {timeout:.0f} s")
        if self._process.returncode != 0:
            self._fail(f"ended with code {self._process.returncode}")

    def _read_line(self, timeout: float) -> bytes | None:
        """A line, b"" at the end of the output, None when time is up."""
        end = time.monotonic() + timeout
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([self._output], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                return None
            data = os.read(self._output.fileno(), 1 << 16)
            if not data:
                return b""
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _fail(self, what: str) -> NoReturn:
        self._errors.seek(0)
        errors = self._errors.read().decode(errors="replace").strip()
        raise BenchError(f"{self._title} {what}" + (f"; its last words:\n{errors[-2000:]}" if errors else ""))


def ask(
    command: Sequence[str], core: int, timeout: float, environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Run a program that prints one JSON line and ends."""
    with Child(command, core, environment) as child:
        answer = child.line(timeout)
        child.finish(STOP_TIMEOUT)
    return answer
