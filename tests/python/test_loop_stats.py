# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What loop_stats() tells of turns, queues and buffers."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

import grpc
import pytest
from support import aio, echo, run, service, serving, until

from uvgrpc import loop_stats

pytestmark = pytest.mark.uvgrpc_only


async def _busy(request: bytes, _context: Any) -> bytes:
    time.sleep(0.05)  # noqa: ASYNC251 - what is seen
    return request


def test_a_handler_that_blocks_is_a_long_turn() -> None:
    async def main() -> None:
        async with serving(service(Busy=_busy)) as running, aio.insecure_channel(running.target) as channel:
            before = loop_stats()
            await channel.unary_unary("/test.Service/Busy")(b"x")
            await asyncio.sleep(0.001)
            after = loop_stats()
            assert after.worst_turn >= 0.049
            long = sum(after.turns[6:]) - sum(before.turns[6:])  # 32 ms and more
            assert long >= 1
            assert sum(after.turns) > sum(before.turns)

    run(main())


def test_a_callback_of_asyncio_that_blocks_is_a_long_turn() -> None:
    """Also one that has nothing to do with RPCs."""

    async def main() -> None:
        async with serving(service(Method=echo)):
            await asyncio.sleep(0.01)
            asyncio.get_running_loop().call_soon(time.sleep, 0.04)
            await asyncio.sleep(0.1)
            assert loop_stats().worst_turn >= 0.039

    run(main())


def test_sleep_is_no_turn() -> None:
    async def main() -> None:
        async with serving(service(Method=echo)):
            before = loop_stats()
            await asyncio.sleep(2)
            after = loop_stats()
            assert sum(after.turns[11:]) == sum(before.turns[11:])  # 1 s and more

    run(main())


def test_starts_and_deliveries_count() -> None:
    async def main() -> None:
        async with serving(service(Method=echo)) as running, aio.insecure_channel(running.target) as channel:
            method = channel.unary_unary("/test.Service/Method")
            await method(b"")
            before = loop_stats()
            for _ in range(100):
                await method(b"x")
            after = loop_stats()
            # A request and a response are one of each at least.
            assert after.starts - before.starts >= 200
            assert after.deliveries - before.deliveries >= 200

    run(main())


def test_messages_that_nobody_reads_are_buffered_and_given_back() -> None:
    async def upload(requests: Any, context: Any) -> bytes:
        await go_on.wait()
        return b"%d" % len([request async for request in requests])

    async def download(request: bytes, context: Any) -> Any:
        for _ in range(100):
            yield bytes(1000)

    async def main() -> None:
        handlers = {
            "Up": grpc.stream_unary_rpc_method_handler(upload),
            "Down": grpc.unary_stream_rpc_method_handler(download),
        }
        async with serving(service(**handlers)) as running, aio.insecure_channel(running.target) as channel:
            floor = loop_stats().buffered
            down = channel.unary_stream("/test.Service/Down")(b"")
            assert await down.read() == bytes(1000)
            await until(lambda: loop_stats().buffered >= floor + 10_000)
            down.cancel()
            call = channel.stream_unary("/test.Service/Up")()
            for _ in range(10):
                await call.write(bytes(100))
            await call.done_writing()
            go_on.set()
            assert await call == b"10"
            del down, call
            await until(lambda: loop_stats().buffered == floor)

    go_on = asyncio.Event()
    run(main())


def test_a_peer_that_does_not_read_leaves_bytes_unsent() -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        # The greeting of a server that lets a client send 16 MiB at once.
        writer.write(b"\0\0\x06\x04\0\0\0\0\0\0\x04\x01\0\0\0" + b"\0\0\x04\x08\0\0\0\0\0\x01\0\0\0")

    async def main() -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        server = await asyncio.start_server(deaf, sock=listening)
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            calls = [channel.unary_unary("/a/A")(bytes(8 << 20)) for _ in range(2)]
            await until(lambda: loop_stats().unsent > 0)
            for call in calls:
                call.cancel()
            for writer in writers:
                writer.transport.abort()
            await until(lambda: loop_stats().unsent == 0)
        server.close()

    writers: list[asyncio.StreamWriter] = []
    run(main())
