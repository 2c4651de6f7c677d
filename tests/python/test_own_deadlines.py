# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""uvgrpc's own API: what calls take over from a block and from the RPC that is served."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from own_api import Echo, all_of, own_serving
from support import Passing, run, run_program, until

import uvgrpc

pytestmark = pytest.mark.uvgrpc_only


# gRPC rounds times up when it sends them.
_ROUNDED = 1.05


class _Telling(Echo):
    """Tells what it was called with."""

    def __init__(self) -> None:
        self.remaining: list[float | None] = []
        self.metadata: list[list[tuple[str, Any]]] = []
        self.cancelled = 0

    def _note(self, context: Any) -> None:
        self.remaining.append(context.time_remaining())
        self.metadata.append([(key, value) for key, value in context.invocation_metadata() if key[0] == "x"])

    async def UnaryUnary(self, request: bytes, context: Any) -> bytes:
        self._note(context)
        return request

    async def StreamStream(self, context: Any) -> None:
        self._note(context)
        await context.send(b"here")
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


def test_calls_in_a_block_have_its_deadline() -> None:
    async def main() -> None:
        telling = _Telling()
        async with own_serving(telling) as stub:
            with uvgrpc.deadline(30) as deadline:
                await stub.UnaryUnary(b"")
                await stub.UnaryUnary(b"", timeout=5)
                await stub.UnaryUnary(b"", timeout=500)
                with uvgrpc.deadline(10):
                    await stub.UnaryUnary(b"")
                    await asyncio.gather(asyncio.create_task(_await(stub.UnaryUnary(b""))))
                with uvgrpc.deadline(100):
                    await stub.UnaryUnary(b"")
                call = stub.StreamStream()
                await call.receive()
                call.cancel()
                assert 0 < deadline.remaining() <= 30
            await stub.UnaryUnary(b"")
            limits = [30, 5, 30, 10, 10, 30, 30]
            assert telling.remaining.pop() is None
            for remaining, limit in zip(telling.remaining, limits, strict=True):
                assert remaining is not None
                assert limit - 4 < remaining <= limit * _ROUNDED

    run(main())


async def _await(call: Any) -> Any:
    return await call


def test_a_block_does_not_end_before_its_calls() -> None:
    async def main() -> None:
        async with own_serving(_Telling()) as stub:
            with uvgrpc.deadline(0.05):
                call = stub.StreamStream()
                with pytest.raises(uvgrpc.RpcError) as caught:
                    await all_of(call)
                assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
                assert await asyncio.sleep(0.01, "goes on") == "goes on"

    run(main())


@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_a_deadline_is_a_time_to_come(seconds: float) -> None:
    with pytest.raises(ValueError, match="must be a number of seconds"), uvgrpc.deadline(seconds):
        pass


class _Forwarding(Echo):
    """Calls another server, as its metadata says."""

    def __init__(self, stub: Any, **how: Any) -> None:
        self.stub = stub
        self.how = how

    async def UnaryUnary(self, request: bytes, context: Any) -> bytes:
        response: bytes = await self.stub.UnaryUnary(request, **self.how)
        return response


@pytest.mark.parametrize("intercepted", [False, True])
@pytest.mark.parametrize("where", ["call", "channel", "neither", "against"])
def test_an_rpc_passes_its_deadline_and_metadata_on(where: str, intercepted: bool) -> None:
    async def main() -> None:
        telling = _Telling()
        names = ["x-id", "X-Trace"]
        of_channel = names if where in ("channel", "against") else False
        how = {"call": {"propagate": names}, "against": {"propagate": False}}.get(where, {})
        client = [Passing()] if intercepted else None
        async with (
            own_serving(telling, propagate=of_channel, client=client) as inner,
            own_serving(_Forwarding(inner, **how)) as outer,
        ):
            metadata = (("x-id", "7"), ("x-trace", "a"), ("x-trace", "b"), ("x-secret", "s"))
            await outer.UnaryUnary(b"", timeout=20, metadata=metadata)
            await outer.UnaryUnary(b"")
        if where in ("call", "channel"):
            first, second = telling.remaining
            assert first is not None
            assert 10 < first <= 20 * _ROUNDED
            assert second is None
            assert telling.metadata == [[("x-id", "7"), ("x-trace", "a"), ("x-trace", "b")], []]
        else:
            assert telling.remaining == [None, None]
            assert telling.metadata == [[], []]

    run(main())


def test_the_nearest_of_three_deadlines_counts() -> None:
    class Bounded(_Forwarding):
        async def UnaryUnary(self, request: bytes, context: Any) -> bytes:
            with uvgrpc.deadline(8):
                await self.stub.UnaryUnary(request, timeout=4, propagate=True)
                await self.stub.UnaryUnary(request, propagate=True)
            await self.stub.UnaryUnary(request, propagate=True)
            return request

    async def main() -> None:
        telling = _Telling()
        async with own_serving(telling) as inner, own_serving(Bounded(inner)) as outer:
            await outer.UnaryUnary(b"", timeout=16)
        for remaining, limit in zip(telling.remaining, (4, 8, 16), strict=True):
            assert remaining is not None
            assert limit - 3 < remaining <= limit * _ROUNDED

    run(main())


@pytest.mark.parametrize("how", ["cancel", "deadline"])
def test_an_rpc_takes_its_calls_along_when_it_ends(how: str) -> None:
    """Also calls that its handler does not wait for."""

    class Spreading(_Forwarding):
        async def UnaryUnary(self, request: bytes, context: Any) -> bytes:
            self.calls = [self.stub.StreamStream(propagate=True), self.stub.StreamStream()]
            for call in self.calls:
                await call.receive()
            await asyncio.shield(asyncio.sleep(60))
            return request

    async def main() -> None:
        telling = _Telling()
        async with own_serving(telling) as inner:
            spreading = Spreading(inner)
            async with own_serving(spreading) as outer:
                call = outer.UnaryUnary(b"", timeout=0.5 if how == "deadline" else None)
                if how == "cancel":
                    await until(lambda: len(telling.remaining) == 2)
                    call.cancel()
                with pytest.raises((asyncio.CancelledError, uvgrpc.RpcError)):
                    await call
                await until(lambda: telling.cancelled == 1)
                with_rpc, alone = spreading.calls
                assert with_rpc.done()
                assert not alone.done()
                alone.cancel()

    run(main())


def test_calls_that_outlive_an_rpc_go_on() -> None:
    class Leaving(_Forwarding):
        async def UnaryUnary(self, request: bytes, context: Any) -> bytes:
            self.call = self.stub.StreamStream(propagate=True)
            await self.call.receive()
            return request

    async def main() -> None:
        async with own_serving(_Telling()) as inner:
            leaving = Leaving(inner)
            async with own_serving(leaving) as outer:
                assert await outer.UnaryUnary(b"x") == b"x"
            assert not leaving.call.done()
            leaving.call.cancel()

    run(main())


_FIRST_CHANNEL = """
import asyncio
import sys

import grpc
import uvloop

import uvgrpc
import uvgrpc.aio

left = []

class Inner(grpc.GenericRpcHandler):
    def service(self, details):
        async def tell(request, context):
            left.append(context.time_remaining())
            return request
        return grpc.unary_unary_rpc_method_handler(tell)

class Outer(grpc.GenericRpcHandler):
    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(self.early if "early" in details.method else self.first)

    async def call_inner(self):
        # No channel of uvgrpc's own API was used before.
        async with uvgrpc.insecure_channel(self.target, propagate=True) as channel:
            await asyncio.gather(channel.unary_unary("/a/b")(b""), self.in_a_task(channel))

    async def in_a_task(self, channel):
        await channel.unary_unary("/a/b")(b"")

    async def first(self, request, context):
        await self.call_inner()
        self.called.set()
        return request

    async def early(self, request, context):
        await self.called.wait()
        await self.call_inner()
        return request

async def main():
    outer = Outer()
    outer.called = asyncio.Event()
    servers = [SERVER(), SERVER()]
    ports = []
    for server, handler in zip(servers, (Inner(), outer)):
        server.add_generic_rpc_handlers((handler,))
        ports.append(server.add_insecure_port("127.0.0.1:0"))
        started = server.start()
        if started is not None:
            await started
    outer.target = f"127.0.0.1:{ports[0]}"
    assert "uvgrpc._rpc.channel" not in sys.modules
    async with uvgrpc.aio.insecure_channel(f"127.0.0.1:{ports[1]}") as channel:
        early = channel.unary_unary("/a/early")(b"", timeout=20)
        await asyncio.sleep(0.1)
        await channel.unary_unary("/a/first")(b"", timeout=40)
        await early
    for server in servers:
        await server.stop(None)
    print([None if seconds is None else round(seconds, -1) for seconds in left])

uvloop.run(main())
"""


@pytest.mark.parametrize("kind", ["uvgrpc.aio.server", "uvgrpc.server"])
def test_an_rpc_is_known_that_began_before_the_first_channel(kind: str) -> None:
    outcome = run_program(_FIRST_CHANNEL.replace("SERVER", kind))
    assert outcome.out == "[40.0, 40.0, 20.0, 20.0]\n", outcome


def test_outside_of_an_rpc_there_is_nothing_to_pass_on() -> None:
    async def main() -> None:
        telling = _Telling()
        async with own_serving(telling, propagate=["x-id"]) as stub:
            await stub.UnaryUnary(b"", metadata=(("x-own", "1"),))
        assert telling.remaining == [None]
        assert telling.metadata == [[("x-own", "1")]]

    run(main())


@pytest.mark.parametrize("wrong", ["x-id", [7], 5])
def test_what_cannot_be_passed_on_is_told(wrong: Any) -> None:
    async def main() -> None:
        with pytest.raises(TypeError, match="propagate"):
            uvgrpc.insecure_channel("127.0.0.1:1", propagate=wrong)
        async with own_serving(Echo()) as stub:
            with pytest.raises(TypeError, match="propagate"):
                stub.UnaryUnary(b"", propagate=wrong)

    run(main())
