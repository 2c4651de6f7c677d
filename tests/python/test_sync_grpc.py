# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Hazards of one shared loop: blocking gRPC beside it, and connections that fail."""

from __future__ import annotations

import contextlib
import json
import socket
import time

import grpc
import pytest
from support import (
    aio,
    error_of,
    in_time,
    run,
    run_program,
    stock_server,
    unused_port,
)

pytestmark = pytest.mark.uvgrpc_only

_NESTED = """
async def handler(request, context):
    with grpc.insecure_channel(TARGET) as channel:
        method = channel.unary_unary("/peer.Service/Echo")
        return method(request + b"!", timeout=20)

async def main():
    async with calling(handler) as method:
        print(json.dumps([(await method(b"%d" % i)).decode() for i in range(5)]))

uvloop.run(main())
"""


def test_a_blocking_call_inside_a_handler_returns() -> None:
    """To another server: H1. In a process of its own, for the threads of stock's core."""
    with stock_server("sync") as port:
        outcome = run_program(f'TARGET = "127.0.0.1:{port}"\n' + _NESTED)
    assert outcome.result == ["0!", "1!", "2!", "3!", "4!"]


def test_a_stock_server_with_threads_serves_uvgrpc() -> None:
    async def main(port: int) -> None:
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            method = channel.unary_unary("/peer.Service/Echo")
            for i in range(50):
                assert await method(b"%d" % i) == b"%d" % i

    with stock_server("sync") as port:
        run(main(port))


_OWN_LOOP = """
async def handler(request, context):
    with grpc.insecure_channel(target) as channel:
        try:
            channel.unary_unary("/test.Service/Other")(b"", timeout=0.3)
        except grpc.RpcError as error:
            return error.code().name.encode()

async def main():
    global target
    async with serving(service(Method=handler, Other=echo)) as running:
        target = running.target
        async with aio.insecure_channel(target) as channel:
            first = await channel.unary_unary("/test.Service/Method")(b"")
            second = await channel.unary_unary("/test.Service/Other")(b"alive")
            print(json.dumps([first.decode(), second.decode()]))

uvloop.run(main())
"""


def test_a_blocking_call_to_the_same_loop_ends_at_its_deadline() -> None:
    """H2: it cannot work, but the loop recovers."""
    outcome = run_program(_OWN_LOOP)
    assert outcome.returncode == 0, outcome.err
    assert json.loads(outcome.out) == ["DEADLINE_EXCEEDED", "alive"]
    # Stock's client may tell of the connection that the server has ended.
    assert all("Got goaway" in line for line in outcome.err.splitlines())


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_a_refused_connection_is_reported_at_once(host: str) -> None:
    """H5; without IPv6 the second is an error of connect() itself."""

    async def main() -> None:
        async with aio.insecure_channel(f"{host}:{unused_port()}") as channel:
            started = time.monotonic()
            error = await error_of(channel.unary_unary("/a/A")(b""))
            assert error.code() is grpc.StatusCode.UNAVAILABLE
            assert "failed to connect" in error.details()
            in_time(started, 5)

    run(main())


def test_a_peer_that_does_not_answer_is_given_up_at_the_deadline() -> None:
    """A listener whose queue is full: the kernel drops what asks for more connections."""

    async def main() -> None:
        with contextlib.ExitStack() as open_sockets:
            listener = open_sockets.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            for _ in range(3):
                waiting = open_sockets.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(listener.getsockname())
            async with aio.insecure_channel(f"127.0.0.1:{listener.getsockname()[1]}") as channel:
                started = time.monotonic()
                call = channel.unary_unary("/a/A")(b"", timeout=0.5)
                assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
                assert time.monotonic() - started >= 0.5
                in_time(started, 5)

    run(main())


def test_a_unix_socket_that_does_not_exist_is_unavailable() -> None:
    async def main() -> None:
        async with aio.insecure_channel("unix:/nowhere/at/all") as channel:
            error = await error_of(channel.unary_unary("/a/A")(b"", timeout=10))
            assert error.code() is grpc.StatusCode.UNAVAILABLE

    run(main())


@pytest.mark.pool_threads
def test_a_hostname_that_does_not_exist_is_unavailable() -> None:
    async def main() -> None:
        async with aio.insecure_channel("no-such-host.invalid:80") as channel:
            error = await error_of(channel.unary_unary("/a/A")(b"", timeout=20))
            assert error.code() in (
                grpc.StatusCode.UNAVAILABLE,
                grpc.StatusCode.DEADLINE_EXCEEDED,
            )

    run(main())


def test_no_file_descriptor_left_fails_the_call() -> None:
    source = """
import resource

async def main():
    async with aio.insecure_channel("127.0.0.1:9") as channel:
        used = len(os.listdir("/proc/self/fd"))
        resource.setrlimit(resource.RLIMIT_NOFILE, (used, used))
        files = []
        try:
            while True:
                files.append(open("/dev/null"))
        except OSError:
            pass
        call = channel.unary_unary("/a/A")(b"", timeout=10)
        code = await call.code()
        for file in files:
            file.close()
        print(json.dumps(code.name))

uvloop.run(main())
"""
    assert run_program(source).result in ("UNAVAILABLE", "RESOURCE_EXHAUSTED")
