# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Streams that end before their time: cancelled, dropped, cut off."""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from support import aio, error_of, no_residents, open_files, run, run_program, service, serving, until

METHOD = "/test.Service/Method"


class Echo:
    """Answers every request of a stream; counts RPCs that began and that ended."""

    def __init__(self) -> None:
        self.begun = 0
        self.ended = 0

    async def method(self, requests: Any, context: Any) -> AsyncIterator[bytes]:
        self.begun += 1
        try:
            async for request in requests:
                for _ in range(request[0] % 4):
                    yield request
        finally:
            self.ended += 1

    @property
    def handler(self) -> grpc.GenericRpcHandler:
        return service(Method=grpc.stream_stream_rpc_method_handler(self.method))


@pytest.mark.uvgrpc_only
@pytest.mark.parametrize("registered", [True, False])
@pytest.mark.slow
def test_bidi_streams_cancelled_at_random_points_leave_nothing(registered: bool) -> None:
    echo = Echo()
    rounds = 500 if registered else 50

    async def requests(dice: random.Random) -> AsyncIterator[bytes]:
        for i in range(6):
            yield bytes([i + 1]) * dice.choice((1, 10, 1000, 70_000))
            if dice.random() < 0.3:
                await asyncio.sleep(0)

    async def use(call: Any, writes: bool, dice: random.Random) -> None:
        if writes:
            for i in range(5):
                await call.write(bytes([i + 1]) * dice.choice((1, 10, 1000, 70_000)))
                if dice.random() < 0.7 and await call.read() is grpc.aio.EOF:
                    return
            await call.done_writing()
            while await call.read() is not grpc.aio.EOF:
                pass
        else:
            async for _ in call:
                pass

    async def one(method: Any, dice: random.Random) -> None:
        writes = dice.random() < 0.5
        call = method() if writes else method(requests(dice))
        user = asyncio.ensure_future(use(call, writes, dice))
        for _ in range(dice.randrange(12)):
            await asyncio.sleep(0)
        if dice.random() < 0.3:
            await asyncio.sleep(dice.random() * 0.002)
        match dice.randrange(4):
            case 0:
                call.cancel()
            case 1:
                user.cancel()
            case 2:
                user.cancel()
                del call
        try:
            await user
        except (asyncio.CancelledError, asyncio.InvalidStateError):
            pass
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.CANCELLED:
                raise

    async def main() -> None:
        dice = random.Random(4)
        server = aio.server()
        if registered:
            handlers = {"Method": grpc.stream_stream_rpc_method_handler(echo.method)}
            server.add_registered_method_handlers("test.Service", handlers)
        else:
            server.add_generic_rpc_handlers([echo.handler])
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        files = open_files()
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            method = channel.stream_stream(METHOD)
            for _ in range(rounds):
                await asyncio.wait_for(asyncio.gather(*(one(method, dice) for _ in range(20))), 20)
            gc.collect()
            await until(lambda: echo.begun == echo.ended)
            await until(lambda: len(asyncio.all_tasks()) <= 2)
        await server.stop(None)
        assert echo.begun > rounds * 10
        await until(lambda: open_files() <= files)

    run(main(), limit=120)


@pytest.mark.stock_defect("a dropped call is never collected (#43462)")
@pytest.mark.parametrize("style", ["iterate", "read", "requests"])
def test_a_dropped_stream_is_cancelled(style: str) -> None:
    cancelled = asyncio.Event()

    async def handler(requests: Any, context: Any) -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x"
                await asyncio.sleep(0.001)
        finally:
            cancelled.set()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.sleep(0.01)

    async def use(channel: Any) -> None:
        call = channel.stream_stream(METHOD)(endless() if style == "requests" else None)
        if style == "read":
            await call.read()
        else:
            async for _ in call:
                break

    async def main() -> None:
        generic = service(Method=grpc.stream_stream_rpc_method_handler(handler))
        async with serving(generic) as running, aio.insecure_channel(running.target) as channel:
            await use(channel)
            gc.collect()
            async with asyncio.timeout(0.5):
                await cancelled.wait()

    run(main())


@pytest.mark.stock_defect("the iterator's task outlives the call")
def test_a_request_iterator_ends_with_its_call() -> None:
    ended = asyncio.Event()

    async def handler(requests: Any, context: Any) -> bytes:
        await anext(requests.__aiter__())
        return b"enough"

    async def endless() -> AsyncIterator[bytes]:
        try:
            yield b"x"
            await asyncio.sleep(3600)
        finally:
            ended.set()

    async def main() -> None:
        generic = service(Method=grpc.stream_unary_rpc_method_handler(handler))
        async with serving(generic) as running, aio.insecure_channel(running.target) as channel:
            assert await channel.stream_unary(METHOD)(endless()) == b"enough"
            async with asyncio.timeout(1):
                await ended.wait()

    run(main())


@pytest.mark.stock_defect("the message is dropped (#43502)")
def test_the_cancellation_of_a_reader_keeps_its_message() -> None:
    async def main() -> None:
        async with serving(Echo().handler) as running, aio.insecure_channel(running.target) as channel:
            call = channel.stream_stream(METHOD)()

            async def read() -> None:
                await call.read()

            reader = asyncio.ensure_future(read())
            await asyncio.sleep(0.05)
            reader.cancel("why")
            with pytest.raises(asyncio.CancelledError) as caught:
                await reader
            assert caught.value.args == ("why",)
            assert call.cancelled()

    run(main())


@pytest.mark.stock_defect("a write that fails tells INTERNAL, not the server's status")
@pytest.mark.parametrize("unread", [0, 3, 100])
def test_a_writer_that_waits_hears_of_the_end(unread: int) -> None:
    """The server ends the RPC while the client is held up by flow control."""

    async def handler(requests: Any, context: Any) -> AsyncIterator[bytes]:
        for i in range(unread):
            yield bytes([i])
        await asyncio.sleep(0.2)
        await context.abort(grpc.StatusCode.ABORTED, "too much")

    async def write(call: Any) -> None:
        while True:
            await call.write(bytes(100_000))

    async def main() -> None:
        generic = service(Method=grpc.stream_stream_rpc_method_handler(handler))
        async with serving(generic) as running, aio.insecure_channel(running.target) as channel:
            call = channel.stream_stream(METHOD)()
            if unread < 16:
                error = await error_of(write(call))
                assert error.code() is grpc.StatusCode.ABORTED
            else:
                # The status is behind too many messages to keep.
                with pytest.raises(asyncio.InvalidStateError):
                    await write(call)
            for i in range(unread):
                assert await call.read() == bytes([i])
            error = await error_of(call.read())
            assert error.code() is grpc.StatusCode.ABORTED

    run(main())


@pytest.mark.uvgrpc_only
@pytest.mark.parametrize("arity", ["unary_stream", "stream_unary", "stream_stream"])
def test_streams_that_are_open_when_their_loop_closes(arity: str) -> None:
    outcome = run_program(f"""
async def endless():
    while True:
        yield b"x"
        await asyncio.sleep(0.001)

async def stream(request_or_requests, context):
    async for message in endless():
        yield message

async def single(requests, context):
    async for request in requests:
        pass
    return b""

async def main():
    global channel, server, call
    server = aio.server()
    kind = {arity!r}
    handler = getattr(grpc, kind + "_rpc_method_handler")(single if kind == "stream_unary" else stream)
    server.add_generic_rpc_handlers([service(Method=handler)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channel = aio.insecure_channel(f"127.0.0.1:{{port}}")
    method = getattr(channel, kind)("/test.Service/Method")
    call = method(b"" if kind == "unary_stream" else endless())
    if kind != "stream_unary":
        assert await call.read() == b"x"
    else:
        await asyncio.sleep(0.1)

uvloop.run(main())
print(json.dumps(call.done()))
""")
    assert outcome.result is True


@pytest.mark.stock_defect("an empty message is sent (#34894)")
def test_a_serializer_that_fails_in_a_stream_sends_nothing() -> None:
    received: list[bytes] = []

    async def handler(requests: Any, context: Any) -> bytes:
        async for request in requests:
            received.append(request)
        return b""

    def serialize(text: str) -> bytes:
        return text.encode("ascii")

    async def main() -> None:
        generic = service(Method=grpc.stream_unary_rpc_method_handler(handler))
        async with serving(generic) as running, aio.insecure_channel(running.target) as channel:
            call = channel.stream_unary(METHOD, request_serializer=serialize)()
            await call.write("good")
            error = await error_of(call.write("é"))
            assert error.code() is grpc.StatusCode.INTERNAL
            assert await call.code() is grpc.StatusCode.INTERNAL
            await asyncio.sleep(0.05)
            assert received in ([], [b"good"])

    run(main())


@pytest.mark.uvgrpc_only
def test_a_deserializer_that_fails_in_a_stream_ends_the_call() -> None:
    async def handler(request: bytes, context: Any) -> AsyncIterator[bytes]:
        for i in range(100):
            yield bytes([i])

    def deserialize(data: bytes) -> int:
        if data[0] == 3:
            raise ValueError("three")
        return data[0]

    async def main() -> None:
        generic = service(Method=grpc.unary_stream_rpc_method_handler(handler))
        async with serving(generic) as running, aio.insecure_channel(running.target) as channel:
            call = channel.unary_stream(METHOD, response_deserializer=deserialize)(b"")
            seen: list[int] = []

            async def iterate() -> None:
                async for response in call:
                    seen.append(response)

            error = await error_of(iterate())
            assert error.code() is grpc.StatusCode.INTERNAL
            assert seen == [0, 1, 2]
            assert await call.code() is grpc.StatusCode.INTERNAL
        await no_residents()

    run(main())
