# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""uvgrpc's own API: servers, and which service a servicer is of."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from own_api import SERVICE, Echo, own_serving
from support import environment, in_time, run

import uvgrpc

pytestmark = pytest.mark.uvgrpc_only

_DESCRIPTOR = health_pb2.DESCRIPTOR.services_by_name["Health"]
_SERVING = health_pb2.HealthCheckResponse(status="SERVING")


class _Plain:
    async def Check(self, request: Any, context: Any) -> Any:
        return _SERVING

    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:
        yield _SERVING


class _Derived(_Plain, health_pb2_grpc.HealthServicer):
    pass


class _DerivedOnce(_Derived):
    async def Watch(self, context: Any) -> None:  # type: ignore[override]
        await context.receive()
        await context.send(_SERVING)


class _Generated(_Plain):
    """As a generated base has it."""

    __uvgrpc_service__ = uvgrpc.Service(
        "grpc.health.v1.Health",
        {
            name: uvgrpc.Method.of_messages(
                name,
                health_pb2.HealthCheckRequest,
                health_pb2.HealthCheckResponse,
                request_streaming=False,
                response_streaming=name == "Watch",
            )
            for name in ("Check", "Watch")
        },
    )


@pytest.mark.parametrize(
    ("servicer", "service"),
    [
        (_Derived, None),
        (_DerivedOnce, None),
        (_Generated, None),
        (_Plain, _DESCRIPTOR),
        (_Plain, health_pb2_grpc.HealthServicer),
        (_Plain, _Generated),
        (_Plain, _Generated.__uvgrpc_service__),
    ],
)
def test_a_service_may_be_told_in_many_ways(servicer: Any, service: Any) -> None:
    """And generated stubs work on uvgrpc's channels."""

    async def main() -> None:
        server = uvgrpc.server()
        server.add_servicer(servicer(), service)
        port = server.add_insecure_port("127.0.0.1:0")
        async with server, uvgrpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            assert await stub.Check(health_pb2.HealthCheckRequest()) == _SERVING
            call = stub.Watch(health_pb2.HealthCheckRequest())
            assert await call.receive() == _SERVING
            with pytest.raises(uvgrpc.EOF):
                await call.receive()

    run(main())


def test_a_servicer_of_an_old_generator_is_known() -> None:
    """grpcio-tools before 1.64 told servers of generic handlers only."""
    add = health_pb2_grpc.add_HealthServicer_to_server

    class OnlyGeneric:
        def __init__(self, server: Any) -> None:
            self.add_generic_rpc_handlers = server.add_generic_rpc_handlers

        def add_registered_method_handlers(self, *_: Any) -> None:
            pass

    async def main() -> None:
        server = uvgrpc.server()
        health_pb2_grpc.add_HealthServicer_to_server = lambda servicer, target: add(
            servicer, OnlyGeneric(target)
        )
        try:
            server.add_servicer(_Derived())
        finally:
            health_pb2_grpc.add_HealthServicer_to_server = add
        port = server.add_insecure_port("127.0.0.1:0")
        async with server, uvgrpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            assert (
                await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest()) == _SERVING
            )

    run(main())


@pytest.mark.parametrize(
    ("servicer", "service", "says"),
    [
        (_Plain(), None, "which service _Plain is of its class does not say"),
        (Echo(), "Echo", "'Echo' is no service"),
        (Echo(), Echo, "is no service"),
        (Echo(), _DESCRIPTOR, r"Echo has none of the methods of grpc\.health\.v1\.Health: Check, "),
    ],
)
def test_a_service_that_is_not_told_is_an_error(servicer: Any, service: Any, says: str) -> None:
    async def main() -> None:
        server = uvgrpc.server()
        with pytest.raises(TypeError, match=says):
            server.add_servicer(servicer, service)
        await server.stop(None)

    run(main())


def test_start_need_not_be_awaited() -> None:
    async def main() -> None:
        for awaited in (False, True):
            server = uvgrpc.server()
            server.add_servicer(Echo(), SERVICE)
            port = server.add_insecure_port("127.0.0.1:0")
            started = server.start()
            if awaited:
                await started
                await server.start()
            async with uvgrpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                assert await channel.unary_unary(SERVICE.path("UnaryUnary"))(b"x") == b"x"
            await server.stop(None)
            with pytest.raises(grpc.aio.UsageError):
                server.start()

    run(main())


def test_a_server_may_be_made_before_the_loop_runs() -> None:
    server = uvgrpc.server()
    server.add_servicer(Echo(), SERVICE)
    port = server.add_insecure_port("127.0.0.1:0")
    with pytest.raises(RuntimeError, match="the start of a server needs a running event loop"):
        server.start()

    async def main() -> None:
        async with server, uvgrpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            assert await channel.unary_unary(SERVICE.path("UnaryUnary"))(b"x") == b"x"

    run(main())


def test_the_end_of_the_block_lets_rpcs_finish() -> None:
    class Slow(Echo):
        async def UnaryUnary(self, request: bytes, context: Any) -> bytes:
            entered.set()
            await asyncio.sleep(0.2)
            return request

    entered = asyncio.Event()

    async def main() -> None:
        async with uvgrpc.insecure_channel(f"127.0.0.1:{await serve()}") as channel:
            call = channel.unary_unary(SERVICE.path("UnaryUnary"))(b"x")
            async with servers[-1]:
                await entered.wait()
            assert await call == b"x"
        entered.clear()
        async with uvgrpc.insecure_channel(f"127.0.0.1:{await serve()}") as channel:
            call = channel.unary_unary(SERVICE.path("UnaryUnary"))(b"x")
            with pytest.raises(ZeroDivisionError):
                await _leave_by_an_error(servers[-1])
            assert await call.code() is grpc.StatusCode.UNAVAILABLE

    async def serve() -> int:
        server = uvgrpc.server(grace=20)
        server.add_servicer(Slow(), SERVICE)
        servers.append(server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        return port

    async def _leave_by_an_error(server: Any) -> None:
        async with server:
            await entered.wait()
            raise ZeroDivisionError

    servers: list[Any] = []
    run(main())


def test_the_grace_ends_too() -> None:
    class Endless(Echo):
        async def UnaryUnary(self, request: bytes, context: Any) -> bytes:
            await asyncio.sleep(60)
            return request

    async def main() -> None:
        started = time.monotonic()
        async with own_serving(Endless(), grace=0.1) as stub:
            call = stub.UnaryUnary(b"")
            await asyncio.sleep(0.1)
        in_time(started, 20)
        assert await call.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)

    run(main())


@pytest.mark.parametrize("grace", [-1, float("nan")])
def test_a_grace_is_a_time(grace: float) -> None:
    with pytest.raises(ValueError, match="grace must be"):
        uvgrpc.server(grace=grace)


def test_other_loops_are_refused() -> None:
    async def main() -> None:
        with pytest.raises(uvgrpc.UnsupportedLoopError):
            uvgrpc.server()
        with pytest.raises(uvgrpc.UnsupportedLoopError):
            uvgrpc.insecure_channel("127.0.0.1:1")

    with asyncio.Runner() as runner:
        runner.run(main())


def test_importing_is_light() -> None:
    """What is not used yet is not imported; all names are there."""
    program = """
import sys, uvgrpc
late = ("uvgrpc.aio", "uvgrpc._core", "uvgrpc._rpc", "uvloop", "google")
print([name for name in sys.modules if name.startswith(late)])
for name in uvgrpc.__all__:
    assert getattr(uvgrpc, name) is getattr(uvgrpc, name), name
assert set(uvgrpc.__all__) <= set(dir(uvgrpc))
assert not hasattr(uvgrpc, "nothing")
"""
    command = [sys.executable, "-c", program]
    assert subprocess.check_output(command, env=environment(), text=True).strip() == "[]"
