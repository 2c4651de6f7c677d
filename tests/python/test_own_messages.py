# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""uvgrpc's own API: messages in, messages out."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from own_api import ARITIES, Echo, Wrapping, all_of, own_serving
from support import Passing, run, until

import uvgrpc

pytestmark = pytest.mark.uvgrpc_only


@pytest.fixture(params=["plain", "client", "server", "both"])
def interceptors(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Calls and handlers look the same behind interceptors."""
    options: dict[str, Any] = {}
    if request.param in ("client", "both"):
        options["client"] = [Passing()]
    if request.param in ("server", "both"):
        options["interceptors"] = [Wrapping()]
    return options


def test_unary_calls_are_awaited(interceptors: dict[str, Any]) -> None:
    async def main() -> None:
        async with own_serving(Echo(), **interceptors) as stub:
            call = stub.UnaryUnary(b"x")
            assert isinstance(call, uvgrpc.UnaryUnaryCall)
            assert await call == await call == b"x"
            assert await call.code() is grpc.StatusCode.OK

    run(main())


def test_responses_are_received_until_eof(interceptors: dict[str, Any]) -> None:
    async def main() -> None:
        async with own_serving(Echo(), **interceptors) as stub:
            call = stub.UnaryStream(b"x")
            assert isinstance(call, uvgrpc.UnaryStreamCall)
            assert [await call.receive(), await call.receive()] == [b"x", b"x"]
            for _ in range(3):
                with pytest.raises(uvgrpc.EOF):
                    await call.receive()
            assert [message async for message in stub.UnaryStream(b"y")] == [b"y", b"y"]

    run(main())


def test_receiving_and_iterating_may_be_mixed() -> None:
    async def main() -> None:
        async with own_serving(Echo()) as stub:
            call = stub.StreamStream([b"a", b"b", b"c"])
            assert await call.receive() == b"a"
            async for message in call:
                assert message == b"a"
                break
            assert await call.receive() == b"b"
            assert [message async for message in call] == [b"b", b"c", b"c"]

    run(main())


def test_requests_are_sent(interceptors: dict[str, Any]) -> None:
    async def main() -> None:
        async with own_serving(Echo(), **interceptors) as stub:
            call = stub.StreamUnary()
            assert isinstance(call, uvgrpc.StreamUnaryCall)
            for message in (b"a", b"b", b"c"):
                await call.send(message)
            await call.done_sending()
            await call.done_sending()
            assert await call == b"abc"
            assert await stub.StreamUnary([b"x", b"y"]) == b"xy"
            received = stub.StreamUnary([b"z"])
            assert await all_of(received) == [b"z"]

    run(main())


def test_both_ways(interceptors: dict[str, Any]) -> None:
    async def main() -> None:
        async with own_serving(Echo(), **interceptors) as stub:
            async with stub.StreamStream() as call:
                assert isinstance(call, uvgrpc.StreamStreamCall)
                for number in range(20):
                    message = str(number).encode()
                    await call.send(message)
                    assert await call.receive() == message
                    assert await call.receive() == message
                await call.done_sending()
                with pytest.raises(uvgrpc.EOF):
                    await call.receive()
            assert await call.code() is grpc.StatusCode.OK

    run(main())


def test_sender_and_receiver_may_be_two_tasks() -> None:
    async def main() -> None:
        messages = [str(number).encode() * 100 for number in range(2000)]
        async with own_serving(Echo()) as stub:
            call = stub.StreamStream()

            async def send() -> None:
                for message in messages:
                    await call.send(message)
                await call.done_sending()

            received, _ = await asyncio.gather(all_of(call), send())
            assert received == [message for message in messages for _ in range(2)]

    run(main())


async def _leave_by_an_error(call: Any) -> None:
    async with call:
        await call.initial_metadata()
        raise ZeroDivisionError


@pytest.mark.parametrize("name", ["UnaryStream", "StreamUnary", "StreamStream"])
def test_leaving_the_block_cancels(name: str, interceptors: dict[str, Any]) -> None:
    ended: list[str] = []

    class Waiting:
        async def UnaryStream(self, context: Any) -> None:
            await self.StreamStream(context)

        async def StreamUnary(self, context: Any) -> None:
            await self.StreamStream(context)

        async def StreamStream(self, context: Any) -> None:
            try:
                await context.send_initial_metadata(())
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                ended.append("cancelled")
                raise

    async def main() -> None:
        async with own_serving(Waiting(), **interceptors) as stub:
            method = getattr(stub, name)
            async with method() if ARITIES[name][0] else method(b"x") as call:
                await call.initial_metadata()
            assert call.cancelled()
            call = method() if ARITIES[name][0] else method(b"x")
            with pytest.raises(ZeroDivisionError):
                await _leave_by_an_error(call)
            assert call.cancelled()
            await until(lambda: len(ended) == 2)

    run(main())


def test_leaving_the_block_of_a_finished_call_changes_nothing() -> None:
    async def main() -> None:
        async with own_serving(Echo()) as stub:
            async with stub.UnaryStream(b"x") as call:
                assert await all_of(call) == [b"x", b"x"]
            assert not call.cancelled()
            assert await call.code() is grpc.StatusCode.OK

    run(main())


def test_sending_after_the_end_is_an_error(interceptors: dict[str, Any]) -> None:
    async def main() -> None:
        async with own_serving(Echo(), **interceptors) as stub:
            async with stub.StreamStream() as call:
                await call.send(b"x")
                await call.done_sending()
                with pytest.raises(asyncio.InvalidStateError, match="done_sending"):
                    await call.send(b"y")
            iterated = stub.StreamStream([b"x"])
            with pytest.raises(grpc.aio.UsageError, match="iterator"):
                await iterated.send(b"y")
            with pytest.raises(grpc.aio.UsageError, match="iterator"):
                await iterated.done_sending()
            assert await all_of(iterated) == [b"x", b"x"]

    run(main())


@pytest.mark.parametrize("behind_interceptors", [False, True])
def test_a_status_is_an_rpc_error_wherever_it_is_met(behind_interceptors: bool) -> None:
    class Failing:
        async def UnaryUnary(self, request: bytes, context: Any) -> None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "nothing here")

        async def UnaryStream(self, request: bytes, context: Any) -> None:
            await context.send(b"one")
            await context.abort(grpc.StatusCode.NOT_FOUND, "nothing here")

        async def StreamUnary(self, context: Any) -> None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "nothing here")

        async def StreamStream(self, context: Any) -> None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "nothing here")

    async def refused(awaitable: Any) -> None:
        with pytest.raises(uvgrpc.RpcError) as caught:
            await awaitable
        assert isinstance(caught.value, grpc.aio.AioRpcError)
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        assert caught.value.message == caught.value.details() == "nothing here"
        assert caught.value.details == ()

    async def send_until_refused(call: Any) -> None:
        while True:
            await call.send(b"x" * 1000)

    async def main() -> None:
        client = [Passing()] if behind_interceptors else None
        async with own_serving(Failing(), client=client) as stub:
            await refused(stub.UnaryUnary(b""))
            call = stub.UnaryStream(b"")
            assert await call.receive() == b"one"
            await refused(call.receive())
            await refused(stub.StreamUnary())
            await refused(stub.StreamStream().receive())
            if not behind_interceptors:
                await refused(send_until_refused(stub.StreamUnary()))

    run(main())


def test_a_channel_has_what_generated_stubs_want() -> None:
    """grpc.aio's read() and write() work on the same calls."""

    async def main() -> None:
        async with own_serving(Echo()) as stub:
            call = stub.StreamStream()
            await call.write(b"x")
            assert await call.read() == b"x"
            assert await call.receive() == b"x"
            await call.done_writing()
            assert await call.read() is grpc.aio.EOF

    run(main())


def test_the_end_of_a_streams_iterator_stays_grpc_aios() -> None:
    assert grpc.aio.EOF is not uvgrpc.EOF
    assert issubclass(uvgrpc.EOF, Exception)
