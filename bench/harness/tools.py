# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The programs around the measured process: load generators, generated stubs, strace."""

from __future__ import annotations

import functools
import math
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.child import Child, ask, pinned
from harness.errors import BenchError, NotHere, NotYet
from harness.peers import BUILD, PROGRAMS, interpreter_with
from harness.usage import Usage, usage

SOURCES = {
    "h2load": "Debian package nghttp2-client",
    "strace": "Debian package strace",
    "go": "Go 1.26 or later",
}
TOOL_TIMEOUT = 300.0
UNIMPLEMENTED = "12"


def need(tool: str) -> str:
    path = shutil.which(tool)
    if path is None:
        raise BenchError(f"{tool} is needed and not in PATH ({SOURCES[tool]})")
    return path


def versions() -> str:
    """Of the load generators that are not peers."""
    found = [[need("h2load"), "--version"], [need("go"), "version"]]
    lines = [subprocess.check_output(command, text=True).splitlines()[0] for command in found]
    ghz = re.search(r"bojand/ghz (v\S+)", (PROGRAMS / "ghz" / "go.mod").read_text())
    return ", ".join([*lines, f"ghz {ghz[1] if ghz else 'unknown'}"])


def generate_stubs() -> Path:
    """bench_pb2 and bench_pb2_grpc, in a folder for PYTHONPATH."""
    folder = BUILD / "stubs"
    folder.mkdir(parents=True, exist_ok=True)
    outputs = [f"--{kind}_out={folder}" for kind in ("python", "pyi", "grpc_python")]
    command = [
        interpreter_with("tools"),
        "-m",
        "grpc_tools.protoc",
        f"-I{PROGRAMS}",
        *outputs,
        "bench.proto",
    ]
    _make(command, PROGRAMS)
    return folder


def build_canned() -> Path:
    """The Go program with prepared frames; see peers/canned."""
    binary = BUILD / "canned"
    _make([need("go"), "build", "-mod=readonly", "-o", str(binary), "."], PROGRAMS / "canned")
    return binary


def make_certificate(canned: Path, folder: Path) -> tuple[Path, Path]:
    """A certificate for this machine, and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    if not key.exists():
        files = ["-certificate", str(certificate), "-key", str(key)]
        _make([str(canned), "certificate", *files], folder)
    return certificate, key


@functools.cache
def build_ghz() -> Path:
    """The load generator ghz, of the version that peers/ghz/go.mod pins."""
    binary = BUILD / "ghz"
    command = [need("go"), "build", "-mod=readonly", "-o", str(binary), "github.com/bojand/ghz/cmd/ghz"]
    try:
        _make(command, PROGRAMS / "ghz")
    except BenchError as reason:
        raise NotHere(str(reason)) from None
    return binary


def _make(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TOOL_TIMEOUT)
    if done.returncode != 0:
        raise BenchError(f"{' '.join(command)} failed:\n{done.stderr.strip()[-2000:]}")


@dataclass(frozen=True)
class Load:
    """What a load generator did to a server."""

    exchanges: int  # calls, or messages of streams with their replies
    seconds: float
    cpu_share: float  # of its core; near 1 it is the bottleneck itself
    p50_us: float = 0.0
    p99_us: float = 0.0


REQUEST = b"\0\0\0\0\5\n\3you"  # a framed Request(name="you")


class H2Load:
    """nghttp2's h2load; the success of every call is checked by its bytes."""

    def __init__(
        self,
        core: int,
        port: int,
        path: str,
        streams: int,  # on each connection
        reply_bytes: int,
        scratch: Path,
        connections: int = 1,
        *,
        tls: bool = False,
        request: bytes = REQUEST,  # with its frame
    ):
        self._core = core
        self._reply_bytes = reply_bytes
        body = scratch / "request"
        body.write_bytes(request)
        self._command = [
            *(
                need("h2load"),
                f"-c{connections}",
                "-t1",
                f"-m{streams}",
                f"--data={body}",
                "-T",
                "10",
                "-N",
                "10",
            ),
            *("-H", "content-type: application/grpc", "-H", "te: trailers"),
        ]
        self._url = f"{'https' if tls else 'http'}://127.0.0.1:{port}{path}"
        self._at_once = streams * connections

    def measure(self, requests: int, timeout: float) -> Load:
        requests = max(requests, self._at_once)
        before = os.times()
        command = [*self._command, f"-n{requests}", self._url]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=timeout,
                preexec_fn=pinned(self._core),
            )
        except subprocess.TimeoutExpired:
            raise BenchError(f"h2load did not finish {requests} requests in {timeout:.0f} s") from None
        after = os.times()
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        return self._parse(done.stdout, requests, cpu)

    def measure_for(self, seconds: float, connecting: float, pid: int) -> tuple[Load, Usage]:
        """Calls on connections that are there, and what the server used: looked at in between."""
        # h2load counts whole seconds. Its clock starts a little later than ours.
        whole, late = max(1, round(seconds)), 0.2
        command = [*self._command, f"--warm-up-time={connecting:g}", f"-D{whole}", self._url]
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=pinned(self._core),
        ) as process:
            try:
                time.sleep(connecting + late)
                start, served, own = time.monotonic(), usage(pid), usage(process.pid)
                time.sleep(whole - 2 * late)
                took = time.monotonic() - start
                served, own = usage(pid) - served, usage(process.pid) - own
                output, _ = process.communicate(timeout=whole + 30)
            finally:
                process.kill()
        found = re.search(
            r"^requests: (\d+) total,.* (\d+) succeeded, 0 failed, 0 errored, 0 timeout", output, re.MULTILINE
        )
        data = re.search(r"\((\d+)\) data$", output, re.MULTILINE)
        if not found or not data or found[1] != found[2]:
            raise BenchError(f"not all calls succeeded:\n{output[-1000:]}")
        requests, data_bytes = int(found[1]), int(data[1])  # the latter also of the warm-up
        if data_bytes % self._reply_bytes or data_bytes < requests * self._reply_bytes:
            raise BenchError(f"{requests} calls got {data_bytes} bytes, not {self._reply_bytes} each")
        return Load(requests, whole, own.cpu_seconds / took), served.times(whole / took)

    def _parse(self, output: str, requests: int, cpu: float) -> Load:
        finished = re.search(r"^finished in ([\d.]+)(us|ms|s|m),", output, re.MULTILINE)
        succeeded = re.search(r"(\d+) succeeded", output)
        data = re.search(r"\((\d+)\) data$", output, re.MULTILINE)
        if not finished or not succeeded or not data:
            raise BenchError(f"h2load printed no summary:\n{output[-1000:]}")
        if int(succeeded[1]) != requests:
            raise BenchError(f"only {succeeded[1]} of {requests} calls succeeded:\n{output[-1000:]}")
        if int(data[1]) != requests * self._reply_bytes:
            raise BenchError(f"{requests} calls got {data[1]} bytes instead of {self._reply_bytes} each")
        seconds = float(finished[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}[finished[2]]
        return Load(requests, seconds, cpu / seconds)


class Http1Load:
    """h2load with HTTP/1.1 at a fixed rate, beside something else."""

    CLIENTS = 10

    def __init__(self, url: str, core: int, rate: int, seconds: float):
        whole = math.ceil(seconds)  # h2load counts whole seconds
        self._seconds = whole
        self._process = subprocess.Popen(
            [
                *(need("h2load"), "--h1", f"-c{self.CLIENTS}", "-t1", f"--rps={rate // self.CLIENTS}"),
                *(f"-D{whole}", url),
            ],
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=pinned(core),
        )
        self.rate = self.mean_ms = 0.0

    def __enter__(self) -> Http1Load:
        return self

    def __exit__(self, *exception: object) -> None:
        """Waits for its end; the results are there then."""
        try:
            output, _ = self._process.communicate(timeout=self._seconds + 30)
        finally:
            self._process.kill()
        found = re.search(r"(\d+) succeeded, 0 failed, 0 errored, 0 timeout", output)
        times = re.search(r"^time for request: +\S+ +\S+ +([\d.]+)(us|ms|s) ", output, re.MULTILINE)
        if not found or not times:
            raise BenchError(f"not all HTTP requests succeeded:\n{output[-1000:]}")
        self.rate = int(found[1]) / self._seconds
        self.mean_ms = float(times[1]) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[times[2]]


class Canned:
    """The Go program as a load generator."""

    def __init__(self, binary: Path, core: int, port: int, path: str, *, tls: bool = False):
        self._binary = binary
        self._core = core
        self._target = ["-target", f"127.0.0.1:{port}", "-path", path, *(["-tls"] if tls else [])]

    def verify(self, mode: str) -> int:
        """One call, checked whole: the bytes of its reply."""
        answer = self._ask(mode, 20.0, "-count", "1", "-seconds", "10")
        return int(answer["reply_bytes"])

    def measure(self, mode: str, streams: int, seconds: float) -> Load:
        before = os.times()
        arguments = ("-streams", str(streams), "-seconds", str(seconds))
        answer = self._ask(mode, seconds + 20.0, *arguments)
        after = os.times()
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        took = float(answer["seconds"])
        return Load(
            int(answer["exchanges"]),
            took,
            cpu / took,
            float(answer["p50_us"]),
            float(answer["p99_us"]),
        )

    def hold(self, exchanges: int, seconds: float) -> Child:
        """Some unary calls, then a quiet open connection."""
        arguments = [
            "-mode",
            "unary",
            "-streams",
            "10",
            "-count",
            str(exchanges),
            "-hold",
            str(seconds),
        ]
        return Child([str(self._binary), "load", *self._target, *arguments], self._core)

    def beside(self, streams: int, seconds: float, *, urgent: bool = False) -> Child:
        """Unary calls for a while: a load that something else goes on beside.

        Says what they took and how many were refused.
        """
        arguments = ["-streams", str(streams), "-seconds", str(seconds), "-tolerant"]
        command = [str(self._binary), "load", *self._target, "-mode", "unary", *arguments]
        return Child(command, self._core, {"GOMAXPROCS": "1"}, urgent=urgent)

    def hold_many(self, connections: int, seconds: float) -> Child:
        """A unary call on each of many connections, and then nothing."""
        arguments = ["-connections", str(connections), "-seconds", str(seconds)]
        return Child([str(self._binary), "hold", *self._target, *arguments], self._core)

    def _ask(self, mode: str, timeout: float, *arguments: str) -> dict[str, Any]:
        command = [str(self._binary), "load", *self._target, "-mode", mode, *arguments]
        answer = ask(command, self._core, timeout, {"GOMAXPROCS": "1"})
        status, text = answer["grpc_status"], str(answer["grpc_message"])
        if status == UNIMPLEMENTED or "NotImplementedError" in text:
            raise NotYet(text or "UNIMPLEMENTED")
        if status != "0":
            raise BenchError(f"a call failed with grpc-status {status}: {text}")
        return answer


class Strace:
    """Counts the system calls of a process while it is open."""

    def __init__(self, pid: int, core: int, scratch: Path):
        self._summary = scratch / "strace"
        command = [
            need("strace"),
            "-c",
            "-f",
            "-U",
            "name,calls",
            "-o",
            str(self._summary),
            "-p",
            str(pid),
        ]
        self._process = subprocess.Popen(
            command,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=pinned(core),
        )
        tracer = Path(f"/proc/{pid}/status")
        for _ in range(100):
            if f"TracerPid:\t{self._process.pid}\n" in tracer.read_text():
                return
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        self.close()
        raise BenchError(f"strace could not attach: {self._process.stderr and self._process.stderr.read()}")

    def __enter__(self) -> Strace:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def calls(self) -> dict[str, int]:
        """Calls by name, after close()."""
        counts = {}
        for line in self._summary.read_text().splitlines():
            match = re.fullmatch(r"\s*(\w+)\s+(\d+)\s*", line)
            if match and match[1] != "total":
                counts[match[1]] = int(match[2])
        return counts
