# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What a program wrote before it lost interest arrives."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
from support import aio, in_time, run, service, serving, until

pytestmark = pytest.mark.uvgrpc_only

MESSAGES = 50


async def close(call: list[Any], channel: Any) -> None:
    await channel.close()
    call.clear()


async def drop(call: list[Any], _channel: Any) -> None:
    call.clear()


async def drop_then_close(call: list[Any], channel: Any) -> None:
    call.clear()
    await channel.close()


class Sink:
    """Counts what arrives."""

    def __init__(self) -> None:
        self.count = 0
        self.ended = False
        self.cancelled = False

    async def __call__(self, requests: AsyncIterator[bytes], _context: Any) -> bytes:
        try:
            async for _ in requests:
                self.count += 1
            self.ended = True
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return b"ok"

    async def stream(self, requests: AsyncIterator[bytes], context: Any) -> None:
        await self(requests, context)

    def service(self) -> Any:
        async def unary(requests: Any, context: Any) -> bytes:
            return await self(requests, context)

        return service(
            stream_unary=grpc.stream_unary_rpc_method_handler(unary),
            stream_stream=grpc.stream_stream_rpc_method_handler(self.stream),
        )


@pytest.mark.parametrize("half_closes", [True, False], ids=["half_closed", "open"])
@pytest.mark.parametrize("size", [0, 100, 2000])
@pytest.mark.parametrize("arity", ["stream_unary", "stream_stream"])
@pytest.mark.parametrize("end", [close, drop, drop_then_close])
def test_all_that_was_written_in_the_last_turn_arrives(
    end: Callable[[list[Any], Any], Any], arity: str, size: int, half_closes: bool
) -> None:
    async def main() -> None:
        sink = Sink()
        async with serving(sink.service(), grace=5) as running:
            channel = aio.insecure_channel(running.target)
            await channel.channel_ready()
            held = [getattr(channel, arity)(f"/test.Service/{arity}")()]
            for _ in range(MESSAGES):
                await held[0].write(bytes(size))
            if half_closes:
                await held[0].done_writing()
            await end(held, channel)
            await until(lambda: sink.ended or sink.cancelled, 10)
            assert sink.count == MESSAGES
            assert sink.ended is half_closes
            await channel.close()

    run(main())


def test_the_call_is_cancelled_at_once_for_those_who_wait_for_it() -> None:
    async def main() -> None:
        sink = Sink()
        async with serving(sink.service()) as running:
            channel = aio.insecure_channel(running.target)
            await channel.channel_ready()
            call = channel.stream_unary("/test.Service/stream_unary")()
            await call.write(b"x")
            started = time.monotonic()
            await channel.close()
            assert await call.code() is grpc.StatusCode.CANCELLED
            assert await call.details() == "Locally cancelled by application!"
            in_time(started, 0.15)
            await until(lambda: sink.cancelled)

    run(main())


def test_cancel_does_not_wait() -> None:
    async def main() -> None:
        sink = Sink()
        async with serving(sink.service()) as running, aio.insecure_channel(running.target) as channel:
            call = channel.stream_unary("/test.Service/stream_unary")()
            await call.write(b"x")
            await until(lambda: sink.count == 1)
            started = time.monotonic()
            call.cancel()
            await until(lambda: sink.cancelled)
            in_time(started, 0.15)

    run(main())


def test_a_server_that_does_not_read_is_given_up() -> None:
    async def main() -> None:
        cancelled = asyncio.Event()

        async def hang(_requests: Any, _context: Any) -> bytes:
            try:
                await asyncio.sleep(3600)
            finally:
                cancelled.set()
            return b""

        async with serving(service(Hang=grpc.stream_unary_rpc_method_handler(hang))) as running:
            channel = aio.insecure_channel(running.target)
            await channel.channel_ready()
            call = channel.stream_unary("/test.Service/Hang")()
            # More than flow control lets through.
            writes = [asyncio.ensure_future(call.write(bytes(50_000))) for _ in range(10)]
            await asyncio.sleep(0.1)
            for write in writes:
                write.cancel()
            started = time.monotonic()
            await channel.close()
            del call
            await cancelled.wait()
            in_time(started, 5)

    run(main())


@pytest.mark.parametrize("end", ["close", "loop"])
def test_a_status_behind_messages_that_nobody_read_is_told_when_the_channel_goes(end: str) -> None:
    calls = []

    async def answer(_request: bytes, context: Any) -> AsyncIterator[bytes]:
        yield b"1"
        yield b"2"
        context.set_details("the end")

    async def main() -> None:
        async with serving(service(Answer=grpc.unary_stream_rpc_method_handler(answer))) as running:
            channel = aio.insecure_channel(running.target)
            call = channel.unary_stream("/test.Service/Answer")(b"")
            calls.append(call)
            assert await call.read() == b"1"
            await asyncio.sleep(0.05)
            assert not call.done()
            if end == "close":
                await channel.close()
                assert call.done()
                assert await call.code() is grpc.StatusCode.OK
                assert await call.read() == b"2"
                assert await call.read() is aio.EOF

    run(main(), leaves_open=end == "loop")
    assert calls[0].done()
