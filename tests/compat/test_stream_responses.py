# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Streams of responses: iterated, or read one by one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from rig import ARITIES, failure_of, handler, looped, own, stream_responses, us, wired
from support import aio, until

STYLE = r"^The iterator and read/write APIs may not be mixed on a single RPC\.$"


def counting(arity: str, count: int, then: Any = None) -> Any:
    """Answers "0", "1", ... and then awaits `then(context)`."""

    async def behavior(request: Any, context: Any) -> AsyncIterator[bytes]:
        for number in range(count):
            yield str(number).encode()
        if then is not None:
            await then(context)

    return handler(arity, behavior)


async def _fail(context: Any) -> None:
    await context.abort(grpc.StatusCode.DATA_LOSS, "lost", (("x-last", "yes"),))


@stream_responses
@pytest.mark.parametrize("count", [0, 1, 100])
@looped
async def test_a_stream_may_be_iterated(arity: str, count: int) -> None:
    async with wired(counting(arity, count)) as wire:
        call = wire()
        assert [int(message) async for message in call] == list(range(count))
        assert await call.code() is grpc.StatusCode.OK
        assert call.done()


@stream_responses
@pytest.mark.parametrize("count", [0, 1, 100])
@looped
async def test_a_stream_may_be_read_until_its_end(arity: str, count: int) -> None:
    async with wired(counting(arity, count)) as wire:
        call = wire()
        for number in range(count):
            assert int(await call.read()) == number
        for _ in range(3):
            assert await call.read() is aio.EOF
        assert await call.code() is grpc.StatusCode.OK


@stream_responses
@looped
async def test_iterating_again_goes_on_and_after_the_end_gives_nothing(arity: str) -> None:
    async with wired(counting(arity, 4)) as wire:
        call = wire()
        async for message in call:
            assert message == b"0"
            break
        assert [int(message) async for message in call] == [1, 2, 3]
        assert [message async for message in call] == []


@stream_responses
@looped
async def test_a_failure_comes_after_the_last_message_of_an_iteration(arity: str) -> None:
    async with wired(counting(arity, 3, _fail)) as wire:
        call = wire()
        seen: list[bytes] = []

        async def read() -> None:
            async for message in call:
                seen.append(message)

        with pytest.raises(aio.AioRpcError) as caught:
            await read()
        assert seen == [b"0", b"1", b"2"]
        assert caught.value.code() is grpc.StatusCode.DATA_LOSS
        assert caught.value.details() == "lost"
        assert own(caught.value.trailing_metadata()) == [("x-last", "yes")]


@stream_responses
@looped
async def test_a_failure_comes_after_the_last_message_that_is_read_and_ever_after(arity: str) -> None:
    async with wired(counting(arity, 3, _fail)) as wire:
        call = wire()
        assert [await call.read() for _ in range(3)] == [b"0", b"1", b"2"]
        for _ in range(3):
            with pytest.raises(aio.AioRpcError, match="lost") as caught:
                await call.read()
            assert caught.value.code() is grpc.StatusCode.DATA_LOSS


@stream_responses
@looped
async def test_the_two_styles_may_not_be_mixed(arity: str) -> None:
    async def hang(_context: Any) -> None:
        await asyncio.Event().wait()

    async with wired(counting(arity, 3, hang)) as wire:
        call = wire()
        async for _ in call:
            break
        with pytest.raises(aio.UsageError, match=STYLE):
            await call.read()
        call.cancel()
        call = wire()
        await call.read()
        with pytest.raises(aio.UsageError, match=STYLE):
            call.__aiter__()
        call.cancel()


@stream_responses
@looped
async def test_a_cancelled_read_style_says_cancelled_ever_after(arity: str) -> None:
    async def hang(_context: Any) -> None:
        await asyncio.Event().wait()

    async with wired(counting(arity, 1, hang)) as wire:
        call = wire()
        assert await call.read() == b"0"
        call.cancel()
        for _ in range(2):
            with pytest.raises(asyncio.CancelledError):
                await call.read()


@looped
async def test_a_response_stream_cannot_be_awaited_nor_a_unary_response_iterated() -> None:
    for arity in ARITIES:
        streams = arity.endswith("stream")
        call_type = getattr(aio, "".join(part.title() for part in arity.split("_")) + "Call")
        assert hasattr(call_type, "__aiter__") is streams
        assert hasattr(call_type, "read") is streams
        assert hasattr(call_type, "__await__") is not streams
        assert hasattr(call_type, "write") is arity.startswith("stream")


@stream_responses
@looped
async def test_initial_metadata_is_there_before_the_first_message(arity: str) -> None:
    finish = asyncio.Event()

    async def behavior(request: Any, context: Any) -> AsyncIterator[bytes]:
        await context.send_initial_metadata((("x-first", "early"),))
        await finish.wait()
        yield b"message"

    async with wired(handler(arity, behavior)) as wire:
        call = wire()
        metadata = await asyncio.wait_for(call.initial_metadata(), 5)
        assert metadata["x-first"] == "early"
        assert not call.done()
        finish.set()
        assert [message async for message in call] == [b"message"]


@stream_responses
@looped
async def test_messages_are_there_as_soon_as_they_are_sent(arity: str) -> None:
    go = asyncio.Queue[bytes]()

    async def behavior(request: Any, context: Any) -> AsyncIterator[bytes]:
        while (message := await go.get()) != b"end":
            yield message

    async with wired(handler(arity, behavior)) as wire:
        call = wire()
        for number in range(5):
            go.put_nowait(b"%d" % number)
            assert await call.read() == b"%d" % number
        go.put_nowait(b"end")
        assert await call.read() is aio.EOF


@stream_responses
@looped
async def test_a_timeout_ends_a_stream_that_has_begun(arity: str) -> None:
    async def hang(_context: Any) -> None:
        await asyncio.Event().wait()

    async with wired(counting(arity, 2, hang)) as wire:
        call = wire(timeout=0.1)
        assert await call.read() == b"0"
        assert await call.read() == b"1"
        with pytest.raises(aio.AioRpcError) as caught:
            await call.read()
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


@stream_responses
@looped
async def test_empty_messages_are_messages(arity: str) -> None:
    async def behavior(request: Any, context: Any) -> AsyncIterator[bytes]:
        yield b""
        yield b""

    async with wired(handler(arity, behavior)) as wire:
        assert [message async for message in wire()] == [b"", b""]
        call = wire()
        assert [await call.read(), await call.read(), await call.read()] == [b"", b"", aio.EOF]


@looped
async def test_a_stream_that_is_not_read_holds_its_sender_back() -> None:
    sent = 0

    async def behavior(request: Any, context: Any) -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 2000:
            yield bytes(64 * 1024)
            sent += 1

    async with wired(us(behavior)) as wire:
        call = wire()
        await call.initial_metadata()
        await until(lambda: sent)
        before = -1
        while sent != before:
            before = sent
            await asyncio.sleep(0.1)
        assert 0 < sent < 1000
        assert not call.done()
        # Reading lets it go on.
        for _ in range(sent):
            await call.read()
        await until(lambda: sent > before)
        call.cancel()


@stream_responses
@looped
async def test_many_streams_at_once_keep_their_messages(arity: str) -> None:
    async def behavior(request: Any, context: Any) -> AsyncIterator[bytes]:
        own_bytes = request if isinstance(request, bytes) else b"".join([r async for r in request])
        for number in range(20):
            yield own_bytes + b":%d" % number

    async with wired(handler(arity, behavior)) as wire:

        async def read(name: bytes) -> None:
            messages = [message async for message in wire(name)]
            assert messages == [name + b":%d" % number for number in range(20)]

        await asyncio.gather(*(read(b"%d" % number) for number in range(30)))


@stream_responses
@looped
async def test_a_failure_without_any_message(arity: str) -> None:
    async with wired(counting(arity, 0, _fail)) as wire:
        assert (await failure_of(wire())).code() is grpc.StatusCode.DATA_LOSS
        with pytest.raises(aio.AioRpcError):
            await wire().read()
