# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What the tests share: loops that are checked when they end, servers, clients, peers.

With UVGRPC_TEST_BACKEND=stock the same tests run on grpc.aio as it is: the oracle.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import uvloop

import uvgrpc.aio
from uvgrpc import loop_stats

STOCK = os.environ.get("UVGRPC_TEST_BACKEND") == "stock"
aio: Any = grpc.aio if STOCK else uvgrpc.aio

HERE = Path(__file__).parent

# How long anything may take that should be over in milliseconds; generous, because
# machines that run tests are slow at times.
LIMIT = 6.0 if STOCK else 30.0

Handler = Callable[[bytes, Any], Awaitable[bytes]]


def run(main: Coroutine[Any, Any, Any], *, leaves_open: bool = False, limit: float = LIMIT) -> Any:
    """Runs a test's coroutine as uvloop.run() does, and checks what it leaves behind.

    Args:
      main: the coroutine.
      leaves_open: it leaves channels, servers or calls open for the loop to end.
      limit: seconds after which it has failed.
    """

    async def watched() -> Any:
        async with asyncio.timeout(limit):
            result = await main
        if not leaves_open and not STOCK:
            await no_residents()
        return result

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        native = None
        try:
            return runner.run(watched())
        finally:
            native = getattr(runner.get_loop(), "_uvgrpc_loop", None)
            runner.close()
            if native is not None:
                assert native.is_closed
                assert native.handle_count == 0, native.describe_handles()


async def no_residents() -> None:
    """Checks that no channel, server or call is left on the running loop."""
    await until(lambda: _residents() == 0, 5)


def _residents() -> int:
    count = loop_stats().residents
    if count:
        gc.collect()
    return count


async def until(condition: Callable[[], Any], limit: float = LIMIT) -> None:
    """Waits until `condition()` is true."""
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, "the condition did not become true in time"
        await asyncio.sleep(0.002)


def in_time(started: float, limit: float) -> None:
    """Checks that less than `limit` seconds have gone by since `started`."""
    elapsed = time.monotonic() - started
    assert elapsed < limit, f"took {elapsed:.2f} s"


# ---- servers and clients


def unary(behavior: Any, **codecs: Any) -> grpc.RpcMethodHandler:
    """The handler of a unary-unary method."""
    return grpc.unary_unary_rpc_method_handler(behavior, **codecs)


@dataclass
class Serving:
    """A server that runs."""

    server: Any
    port: int

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"


@contextlib.asynccontextmanager
async def serving(
    *generic: grpc.GenericRpcHandler, grace: float | None = None, **options: Any
) -> AsyncIterator[Serving]:
    """A server of `generic` handlers on a port of its own."""
    server = aio.server(**options)
    server.add_generic_rpc_handlers(generic)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield Serving(server, port)
    finally:
        await server.stop(grace)


def service(**handlers: Any) -> grpc.GenericRpcHandler:
    """The service test.Service; the values are coroutine functions or method handlers."""
    return grpc.method_handlers_generic_handler(
        "test.Service",
        {
            name: value if isinstance(value, grpc.RpcMethodHandler) else unary(value)
            for name, value in handlers.items()
        },
    )


@contextlib.asynccontextmanager
async def calling(handler: Any, **options: Any) -> AsyncIterator[Any]:
    """The multi-callable of a method that `handler` serves, on a channel of its own."""
    async with (
        serving(service(Method=handler), **options) as running,
        aio.insecure_channel(running.target) as channel,
    ):
        yield channel.unary_unary("/test.Service/Method")


class Passing(
    grpc.aio.UnaryUnaryClientInterceptor,
    grpc.aio.UnaryStreamClientInterceptor,
    grpc.aio.StreamUnaryClientInterceptor,
    grpc.aio.StreamStreamClientInterceptor,
):
    """Hands everything on."""

    async def _pass(self, continuation: Any, details: Any, request: Any) -> Any:
        return await continuation(details, request)

    intercept_unary_unary = intercept_unary_stream = _pass
    intercept_stream_unary = intercept_stream_stream = _pass


async def echo(request: bytes, _context: Any) -> bytes:
    return request


def _own_ports() -> Iterator[int]:
    """Below those that the kernel gives to who asks for any; each worker of xdist has its part of them."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    size = 22_000 // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    first = 10_000 + worker * size
    start = os.getpid() % size
    while True:
        yield from range(first + start, first + size)
        start = 0


_PORTS = _own_ports()


def unused_port() -> int:
    """A port of 127.0.0.1 that nothing listens on, and nobody else will."""
    while True:
        port = next(_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


async def error_of(call: Awaitable[Any]) -> grpc.aio.AioRpcError:
    """The error that a call ends with, without the frames that would keep the call alive."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.with_traceback(None)
    raise AssertionError("the call succeeded")


# ---- other processes


def environment() -> dict[str, str]:
    """For a child process: it finds the tests' modules, and this process's."""
    folders = [str(HERE), str(HERE.parent / "compat")]
    path = os.pathsep.join([*folders, *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path}


@contextlib.contextmanager
def stock_server(kind: str = "aio") -> Iterator[int]:
    """A server on grpcio as it is, in a process of its own. Gives its port.

    Args:
      kind: "aio" for grpc.aio on asyncio's loop, "sync" for grpc.server().
    """
    with subprocess.Popen(
        [sys.executable, "-m", "peers.stock_server", kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            # The end of its input tells it to stop.
            process.stdin.close()
            assert process.wait(30) == 0


async def stock_client(kind: str, target: str, battery: str) -> Any:
    """Has a client on grpcio as it is make calls; gives what it reports.

    Args:
      kind: "aio" for grpc.aio on asyncio's loop, "sync" for grpc's blocking API.
      target: the server.
      battery: the name of a function of peers.stock_client.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "peers.stock_client",
        kind,
        target,
        battery,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return json.loads(out)


@dataclass
class Outcome:
    """How a program ended."""

    returncode: int
    out: str
    err: str

    @property
    def result(self) -> Any:
        """What a program that has to succeed in silence printed as JSON."""
        assert (self.returncode, self.err) == (0, "")
        return json.loads(self.out)


# What every program begins with.
_PRELUDE = """
import asyncio, gc, json, os, signal, sys, threading, time
import grpc, grpc.aio, uvloop, uvgrpc
from uvgrpc import aio
from support import calling, echo, service, serving, unary
"""


def run_program(
    source: str, *, interrupt: bool = False, limit: float = 120.0, environ: dict[str, str] | None = None
) -> Outcome:
    """Runs Python source in a process of its own, with warnings as errors.

    Args:
      source: the program; the usual modules and some of this one's functions are imported.
      environ: more variables of its environment.
      interrupt: send SIGINT once the program has printed a line.
      limit: seconds after which it has failed.
    """
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", _PRELUDE + source],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**environment(), **(environ or {})},
        text=True,
        # A background job, as CI may be, has it ignored; children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            first = ""
            if interrupt:
                assert process.stdout is not None
                first = process.stdout.readline()
                process.send_signal(2)
            out, err = process.communicate(timeout=limit)
        finally:
            process.kill()
    return Outcome(process.returncode, first + out, err)


def thread_count() -> int:
    """The threads of this process, as the kernel counts them."""
    return len(os.listdir("/proc/self/task"))


def open_files() -> int:
    """The file descriptors of this process."""
    return len(os.listdir("/proc/self/fd"))


def resident_bytes() -> int:
    """The memory of this process that is in RAM."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
