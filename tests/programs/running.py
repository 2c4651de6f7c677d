# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Child processes of the tests: started, asked, measured, and never left behind."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
APPS = HERE / "apps"
TICK = 1 / os.sysconf("SC_CLK_TCK")


class Process:
    """A running program in a process group of its own, which ends with the block."""

    def __init__(self, command: Sequence[str | Path], environment: Mapping[str, str]):
        self._title = " ".join(Path(part).name for part in command[:3])
        self._buffer = b""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  (closed in __exit__)
        self._process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "GRPC_VERBOSITY": "ERROR", **environment},
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self._output = self._process.stdout

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *exception: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # its workers too
        self._process.wait()
        self._output.close()
        self._errors.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def line(self, timeout: float = 60) -> dict[str, Any]:
        """The next line that is a JSON object."""
        end = time.monotonic() + timeout
        while True:
            while b"\n" not in self._buffer:
                ready, _, _ = select.select([self._output], [], [], max(0.0, end - time.monotonic()))
                data = os.read(self._output.fileno(), 1 << 16) if ready else b""
                assert data, f"{self._title} said nothing in {timeout:.0f} s: {self.errors()}"
                self._buffer += data
            raw, _, self._buffer = self._buffer.partition(b"\n")
            if raw.startswith(b"{"):
                found: dict[str, Any] = json.loads(raw)
                return found

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    def wait(self, timeout: float = 30) -> None:
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self._title} did not end in {timeout:.0f} s: {self.errors()}") from None
        assert code in (0, -signal.SIGTERM), f"{self._title} ended with {code}: {self.errors()}"

    def alive(self) -> bool:
        return self._process.poll() is None

    def errors(self) -> str:
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace").strip()[-2000:]


class Programs:
    """Starts the programs with one of the two backends."""

    def __init__(self, backend: str, stubs: Path):
        self.backend = backend
        self._environment = {
            "PROGRAMS_BACKEND": backend,
            "PYTHONPATH": os.pathsep.join(
                filter(None, (str(APPS), str(stubs), os.environ.get("PYTHONPATH")))
            ),
        }

    def app(self, name: str, *arguments: object, **environment: str) -> Process:
        """A program of apps/."""
        return self.python(APPS / f"{name}.py", *arguments, **environment)

    def python(self, *arguments: object, **environment: str) -> Process:
        return Process([sys.executable, *map(str, arguments)], {**self._environment, **environment})

    @contextlib.contextmanager
    def greeter(self, **environment: str) -> Iterator[tuple[Process, int, dict[str, Any]]]:
        """The greeter server: process, port and its first report."""
        with self.app("greeter_server", **environment) as server:
            ready = server.line()
            yield server, ready["port"], ready


def cpu_seconds(pid: int) -> float:
    """Of all threads of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK


def threads(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(process: Process, port: int, timeout: float = 60) -> None:
    end = time.monotonic() + timeout
    while True:
        assert process.alive(), f"ended at once: {process.errors()}"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        assert time.monotonic() < end, f"nobody listens: {process.errors()}"
        time.sleep(0.05)
