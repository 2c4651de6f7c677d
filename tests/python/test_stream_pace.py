# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How far streams run ahead: of a reader that is behind, of a writer, of a flow."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from support import aio, resident_bytes, run, service, serving, until

METHOD = "/test.Service/Method"
KIB = 1024


def stream_stream(behavior: Any) -> grpc.GenericRpcHandler:
    return service(Method=grpc.stream_stream_rpc_method_handler(behavior))


def unary_stream(behavior: Any) -> grpc.GenericRpcHandler:
    return service(Method=grpc.unary_stream_rpc_method_handler(behavior))


@pytest.mark.uvgrpc_only
def test_what_is_read_ahead_comes_before_the_status() -> None:
    async def handler(request: bytes, context: Any) -> AsyncIterator[bytes]:
        for i in range(10):
            yield bytes([i])
        await context.abort(grpc.StatusCode.ABORTED, "enough")

    async def main() -> None:
        async with serving(unary_stream(handler)) as running, aio.insecure_channel(running.target) as channel:
            call = channel.unary_stream(METHOD)(b"")
            seen = [await call.read()]
            await asyncio.sleep(0.1)  # the status has arrived by now
            assert not call.done()
            while not call.done():
                seen.append(await call.read())
            assert seen == [bytes([i]) for i in range(10)]
            with pytest.raises(grpc.aio.AioRpcError, match="enough"):
                await call.read()

    run(main())


def test_a_call_is_done_with_its_last_message() -> None:
    async def handler(request: bytes, context: Any) -> AsyncIterator[bytes]:
        yield b"1"
        yield b"2"

    async def main() -> None:
        async with serving(unary_stream(handler)) as running, aio.insecure_channel(running.target) as channel:
            call = channel.unary_stream(METHOD)(b"")
            done: list[Any] = []
            call.add_done_callback(done.append)
            assert await call.read() == b"1"
            await asyncio.sleep(0.05)
            assert (call.done(), done) == (False, [])
            assert await call.read() == b"2"
            await until(call.done)
            await asyncio.sleep(0)
            assert done == [call]
            assert await call.read() is grpc.aio.EOF
            assert await call.code() is grpc.StatusCode.OK

    run(main())


def test_a_slow_reader_bounds_the_sender() -> None:
    written = 0

    async def handler(request: bytes, context: Any) -> AsyncIterator[bytes]:
        nonlocal written
        while True:
            yield bytes(64 * KIB)
            written += 1

    async def main() -> None:
        async with serving(unary_stream(handler)) as running, aio.insecure_channel(running.target) as channel:
            call = channel.unary_stream(METHOD)(b"")
            assert len(await call.read()) == 64 * KIB
            count = -1
            while count != written:
                count = written
                await asyncio.sleep(0.2)
            before = resident_bytes()
            await asyncio.sleep(0.2)
            assert resident_bytes() - before < 1024 * KIB
            # Flow control windows grow to some MiB on a fast connection; not to more.
            assert written * 64 * KIB < 12 * 1024 * KIB
            for _ in range(count):
                assert len(await call.read()) == 64 * KIB
            await until(lambda: written > count)
            call.cancel()

    run(main())


@pytest.mark.uvgrpc_only
def test_small_messages_of_one_turn_wait_for_nobody() -> None:
    """A writer gets through a burst without giving up its turn for every message."""
    turns = 0
    turns_of_burst = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def handler(_requests: Any, context: Any) -> None:
        nonlocal turns_of_burst
        await context.write(b"first")
        counter = asyncio.create_task(count_turns())
        before = turns
        for _ in range(1000):
            await context.write(b"x")
        turns_of_burst = turns - before
        counter.cancel()

    async def main() -> None:
        async with (
            serving(stream_stream(handler)) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            call = channel.stream_stream(METHOD)()
            assert sum([1 async for _ in call]) == 1001

    run(main())
    # It does let others run now and then.
    # 30 on a quiet machine. A turn of over 2 ms, which a busy machine makes of any, is
    # taken for a handler that blocks; then messages wait, one or two turns each.
    assert 5 <= turns_of_burst < 900


@pytest.mark.parametrize("style", ["generator", "write"])
@pytest.mark.parametrize("computes", ["before", "after", "after two"])
def test_a_handler_that_blocks_the_loop_delays_no_message(style: str, computes: str, tmp_path: Path) -> None:
    """What was written is sent before a handler computes on, though it never awaits."""
    receipts = tmp_path / "receipts"  # a byte for each message that the client has
    receipts.touch()
    late: list[int] = []

    def before(number: int) -> None:
        if computes == "before":
            time.sleep(0.01)

    def after(number: int) -> None:
        if computes == "after two" and number % 2 == 0:
            return
        # Computes until the client has the message, or has had time enough to get it.
        deadline = time.monotonic() + 3
        while receipts.stat().st_size <= number:
            if time.monotonic() > deadline:
                late.append(number)
                return
            time.sleep(0.001)
        if computes == "after":
            time.sleep(0.01)

    async def generator(request: bytes, context: Any) -> AsyncIterator[bytes]:
        for number in range(6):
            before(number)
            yield bytes([number])
            after(number)

    async def writer(request: bytes, context: Any) -> None:
        for number in range(6):
            before(number)
            await context.write(bytes([number]))
            after(number)

    async def main() -> None:
        handler = generator if style == "generator" else writer
        async with serving(unary_stream(handler)) as running:
            client = await asyncio.create_subprocess_exec(
                sys.executable, "-c", RECEIVER, running.target, METHOD, str(receipts)
            )
            assert await client.wait() == 0

    run(main())
    # A handler that writes at the start of a turn, and computes then, must be seen to do so.
    assert late in ([], [1]) if computes == "after two" else late == [], late


RECEIVER = """
import grpc, sys
target, method, receipts = sys.argv[1:]
with grpc.insecure_channel(target) as channel, open(receipts, "ab", buffering=0) as out:
    for _ in channel.unary_stream(method)(b""):
        out.write(b"x")
"""


def test_messages_leave_in_order_and_whole_whatever_their_size() -> None:
    sizes = [0, 1, 100, 16 * KIB - 1, 16 * KIB, 100 * KIB, 3, 0, 1024 * KIB, 5]
    messages = [bytes([i]) * size for i, size in enumerate(sizes)] * 5

    async def handler(requests: Any, context: Any) -> AsyncIterator[bytes]:
        async for request in requests:
            yield request

    async def main() -> None:
        async with (
            serving(stream_stream(handler)) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            call = channel.stream_stream(METHOD)(iter(messages))
            assert [response async for response in call] == messages

    run(main())
