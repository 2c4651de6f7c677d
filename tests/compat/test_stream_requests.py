# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Streams of requests: iterators of both kinds, or written one by one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest
from rig import before_each, echo_of, failure_of, handler, looped, result_of, ss, stream_requests, su, wired
from support import aio, until

STYLE = r"^The iterator and read/write APIs may not be mixed on a single RPC\.$"
FINISHED = r"^RPC already finished\.$"
HALF_CLOSED = r'^RPC is half closed after calling "done_writing"\.$'


class Requests:
    """An object that is an async iterable, and no iterator."""

    def __init__(self, *messages: bytes) -> None:
        self.messages = messages

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self.run()

    async def run(self) -> AsyncIterator[bytes]:
        for message in self.messages:
            await asyncio.sleep(0)
            yield message


def generator() -> Iterator[bytes]:
    yield b"a"
    yield b"b"


@stream_requests
@pytest.mark.parametrize(
    "requests",
    [
        pytest.param(lambda: [b"a", b"b"], id="list"),
        pytest.param(lambda: (b"a", b"b"), id="tuple"),
        pytest.param(lambda: iter([b"a", b"b"]), id="iterator"),
        pytest.param(generator, id="generator"),
        pytest.param(lambda: Requests(b"a", b"b"), id="async-iterable"),
        pytest.param(lambda: Requests(b"a", b"b").run(), id="async-generator"),
    ],
)
@looped
async def test_requests_may_come_from_iterables_of_any_kind(arity: str, requests: Any) -> None:
    async with wired(echo_of(arity)) as wire:
        assert await result_of(wire.method()(requests())) == b"ab"
        assert await result_of(wire.method()(request_iterator=requests())) == b"ab"


@stream_requests
@pytest.mark.parametrize("requests", [list, lambda: Requests().run()], ids=["list", "async"])
@looped
async def test_a_stream_of_no_requests(arity: str, requests: Any) -> None:
    async with wired(echo_of(arity)) as wire:
        call = wire.method()(requests())
        assert await result_of(call) == b""
        assert await call.code() is grpc.StatusCode.OK


@stream_requests
@looped
async def test_requests_may_be_written(arity: str) -> None:
    async with wired(echo_of(arity)) as wire:
        call = wire.method()()
        for message in (b"a", b"b", b"c"):
            await call.write(message)
        for _ in range(3):
            await call.done_writing()
        assert await result_of(call) == b"abc"
        await call.done_writing()


@stream_requests
@looped
async def test_nothing_needs_to_be_written(arity: str) -> None:
    async with wired(echo_of(arity)) as wire:
        call = wire.method()()
        await call.done_writing()
        assert await result_of(call) == b""


@stream_requests
@looped
async def test_arguments_of_a_request_stream_may_be_positional(arity: str) -> None:
    """request_iterator, timeout, metadata, credentials, wait_for_ready, compression."""
    seen: list[Any] = []

    async def look(context: Any) -> None:
        seen.append((dict(context.invocation_metadata()).get("x-key"), context.time_remaining()))

    async with wired(before_each(arity, look)) as wire:
        call = wire.method()([b"a"], 30, (("x-key", "value"),), None, True, grpc.Compression.Gzip)
        assert await result_of(call) == b"a"
        assert seen[0][0] == "value"
        assert 25 < seen[0][1] < 31


@stream_requests
@looped
async def test_the_two_styles_may_not_be_mixed(arity: str) -> None:
    async with wired(echo_of(arity)) as wire:
        call = wire.method()([b"a"])
        with pytest.raises(aio.UsageError, match=STYLE):
            await call.write(b"b")
        with pytest.raises(aio.UsageError, match=STYLE):
            await call.done_writing()
        assert await result_of(call) == b"a"


@stream_requests
@looped
async def test_a_write_after_the_half_close_is_an_invalid_state(arity: str) -> None:
    go = asyncio.Event()

    async def wait(_context: Any) -> None:
        await go.wait()

    async with wired(before_each(arity, wait)) as wire:
        call = wire.method()()
        await call.write(b"a")
        await call.done_writing()
        with pytest.raises(asyncio.InvalidStateError, match=HALF_CLOSED):
            await call.write(b"b")
        go.set()
        assert await result_of(call) == b"a"


@stream_requests
@looped
async def test_a_write_after_the_end_is_an_invalid_state(arity: str) -> None:
    async def early(request: Any, context: Any) -> None:
        await context.abort(grpc.StatusCode.ABORTED, "enough")

    async with wired(handler(arity, early)) as wire:
        call = wire.method()()
        assert await call.code() is grpc.StatusCode.ABORTED
        with pytest.raises(asyncio.InvalidStateError, match=FINISHED):
            await call.write(b"late")
        await call.done_writing()
        call = wire.method()()
        call.cancel()
        with pytest.raises(asyncio.InvalidStateError, match=FINISHED):
            await call.write(b"late")


@stream_requests
@looped
async def test_an_iterator_that_raises_cancels_the_call(arity: str, caplog: pytest.LogCaptureFixture) -> None:
    async def failing_async() -> AsyncIterator[bytes]:
        yield b"a"
        raise LookupError("not to be seen")

    def failing() -> Iterator[bytes]:
        yield b"a"
        raise LookupError("not to be seen")

    async with wired(echo_of(arity)) as wire:
        for requests in (failing_async(), failing()):
            call = wire.method()(requests)
            with pytest.raises(asyncio.CancelledError):
                await _drain(call)
            assert call.cancelled()
            assert await call.code() is grpc.StatusCode.CANCELLED
            assert await call.details() == "Locally cancelled by application!"
    assert [r for r in caplog.records if r.levelno > logging.DEBUG] == []


async def _drain(call: Any) -> Any:
    return await result_of(call)


@stream_requests
@pytest.mark.parametrize("requests", [b"bytes", 42, object()], ids=["bytes", "int", "object"])
@looped
async def test_what_is_no_iterable_of_messages_cancels_the_call(arity: str, requests: Any) -> None:
    async with wired(echo_of(arity)) as wire:
        call = wire.method()(requests)
        with pytest.raises(asyncio.CancelledError):
            await _drain(call)
        assert await call.code() is grpc.StatusCode.CANCELLED


@pytest.mark.stock_defect("a write that fails replaces the server's status by INTERNAL", strict=False)
@stream_requests
@looped
async def test_a_server_that_answers_early_ends_the_iterator(arity: str) -> None:
    produced = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal produced
        while True:
            yield b"message"
            produced += 1
            await asyncio.sleep(0)

    async def early(request: Any, context: Any) -> None:
        async for _ in request:
            break
        await context.abort(grpc.StatusCode.ABORTED, "enough")

    async with wired(handler(arity, early)) as wire:
        call = wire.method()(endless())
        assert (await failure_of(call)).details() == "enough"
        await asyncio.sleep(0.02)
        before = produced
        await asyncio.sleep(0.02)
        assert produced <= before + 1


@looped
async def test_a_stream_unary_method_may_answer_before_its_requests_end() -> None:
    async def first(request: Any, context: Any) -> bytes:
        async for one in request:
            return one
        return b""

    async with wired(su(first)) as wire:
        call = wire.method()()
        await call.write(b"first")
        assert await call == b"first"
        with pytest.raises(asyncio.InvalidStateError, match=FINISHED):
            await call.write(b"second")


@looped
async def test_messages_go_back_and_forth() -> None:
    async with wired(echo_of("stream_stream")) as wire:
        call = wire.method()()
        for number in range(20):
            await call.write(b"%d" % number)
            assert await call.read() == b"%d" % number
        await call.done_writing()
        assert await call.read() is aio.EOF


@looped
async def test_reading_and_writing_may_go_on_in_two_tasks() -> None:
    async with wired(echo_of("stream_stream")) as wire:
        call = wire.method()()

        async def write() -> None:
            for number in range(100):
                await call.write(b"%d" % number)
            await call.done_writing()

        writer = asyncio.create_task(write())
        assert [int(message) async for message in call] == list(range(100))
        await writer


@looped
async def test_a_written_stream_may_be_iterated_and_an_iterator_may_be_read() -> None:
    async with wired(echo_of("stream_stream")) as wire:
        call = wire.method()()
        await call.write(b"a")
        await call.done_writing()
        assert [message async for message in call] == [b"a"]
        call = wire.method()([b"a"])
        assert [await call.read(), await call.read()] == [b"a", aio.EOF]


@looped
async def test_an_iterator_is_asked_for_a_request_once_the_one_before_is_on_its_way() -> None:
    asked = 0
    go = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        nonlocal asked
        while True:
            asked += 1
            yield bytes(64 * 1024)

    async def unread(request: Any, context: Any) -> AsyncIterator[bytes]:
        await go.wait()
        yield b""

    async with wired(ss(unread)) as wire:
        call = wire.method()(endless())
        await until(lambda: asked)
        before = -1
        while asked != before:
            before = asked
            await asyncio.sleep(0.1)
        assert asked < 1000
        go.set()
        call.cancel()


@stream_requests
@looped
async def test_a_write_that_is_cancelled_cancels_the_call(arity: str) -> None:
    async def unread(context: Any) -> None:
        await asyncio.Event().wait()

    async with wired(before_each(arity, unread)) as wire:
        call = wire.method()()

        async def fill() -> None:
            while True:
                await call.write(bytes(64 * 1024))

        task = asyncio.create_task(fill())
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert call.cancelled()
        assert await call.code() is grpc.StatusCode.CANCELLED


@pytest.mark.stock_defect("a write that fails replaces the server's status by INTERNAL", strict=False)
@stream_requests
@looped
async def test_a_write_that_waits_fails_when_the_call_fails(arity: str) -> None:
    async def abort(context: Any) -> None:
        await asyncio.sleep(0.1)
        await context.abort(grpc.StatusCode.ABORTED, "enough")

    async with wired(before_each(arity, abort)) as wire:
        call = wire.method()()

        async def fill() -> None:
            while True:
                await call.write(bytes(64 * 1024))

        with pytest.raises((aio.AioRpcError, asyncio.InvalidStateError)):
            await fill()
        assert await call.code() is grpc.StatusCode.ABORTED
