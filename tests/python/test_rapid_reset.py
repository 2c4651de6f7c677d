# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Rapid reset: calls that are cancelled as soon as they are made leave nothing on the server."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from peers import frames
from support import aio, resident_bytes, run, until

from uvgrpc import loop_stats

pytestmark = pytest.mark.uvgrpc_only

_BLOCK = frames.headers("/t/M")
_GENERIC_BLOCK = frames.headers("/g/M")


async def _echo(request: bytes, context: Any) -> bytes:
    return request


async def _suspend(request: bytes, context: Any) -> bytes:
    await asyncio.sleep(3600)
    return request


async def _generate(request: bytes, context: Any) -> AsyncIterator[bytes]:
    while True:
        yield bytes(100)


async def _busy(request: bytes, context: Any) -> bytes:
    time.sleep(0.05)  # noqa: ASYNC251 - what is tested
    return request


HANDLERS: dict[str, Any] = {
    "at once": grpc.unary_unary_rpc_method_handler(_echo),
    "suspends": grpc.unary_unary_rpc_method_handler(_suspend),
    "stream": grpc.unary_stream_rpc_method_handler(_generate),
}


@contextlib.asynccontextmanager
async def _limited(handler: Any, limit: int = 10) -> AsyncIterator[tuple[int, Any]]:
    """A server of ten RPCs at a time, and a call that checks that it serves on."""
    methods = {
        "M": handler,
        "Echo": grpc.unary_unary_rpc_method_handler(_echo),
        "Busy": grpc.unary_unary_rpc_method_handler(_busy),
    }
    server = aio.server(maximum_concurrent_rpcs=limit)
    server.add_registered_method_handlers("t", methods)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("g", methods)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        echo = channel.unary_unary("/t/Echo")

        async def serves_on() -> None:
            """All the slots are free, or are in a moment: what was sent last may still come."""
            deadline = time.monotonic() + 10
            while True:
                await until(lambda: loop_stats().residents == 2, 10)
                answers = await asyncio.gather(
                    *(echo(b"x", timeout=10) for _ in range(limit)), return_exceptions=True
                )
                if answers == [b"x"] * limit:
                    return
                assert time.monotonic() < deadline, answers
                await asyncio.sleep(0.01)

        yield port, serves_on
    await server.stop(None)


async def _flood(connection: frames.Connection, streams: range, block: bytes) -> None:
    for stream in streams:
        connection.writer.write(frames.request(2 * stream + 1, block) + frames.reset(2 * stream + 1))
        if stream % 100 == 0:
            await connection.writer.drain()
    await connection.ping()


@pytest.mark.slow
@pytest.mark.parametrize("kind", HANDLERS)
def test_fifty_thousand_resets_on_ten_connections_leave_nothing(kind: str) -> None:
    async def main() -> None:
        async with _limited(HANDLERS[kind]) as (port, serves_on):
            sizes: list[int] = []
            connections = [await frames.Connection.open(port) for _ in range(10)]
            for fifth in range(5):
                streams = range(fifth * 1000, (fifth + 1) * 1000)
                await asyncio.gather(*(_flood(one, streams, _BLOCK) for one in connections))
                await serves_on()
                gc.collect()
                sizes.append(resident_bytes())
            for one in connections:
                one.close()
            # 40,000 resets of 9 KB would be 360 MB.
            assert sizes[4] - sizes[1] < 4 << 20, [size >> 10 for size in sizes]
            await serves_on()

    run(main(), limit=100)


@pytest.mark.parametrize("kind", HANDLERS)
@pytest.mark.parametrize("block", [_BLOCK, _GENERIC_BLOCK], ids=["registered", "generic"])
def test_resets_in_one_turn_take_no_slot(block: bytes, kind: str) -> None:
    """As a server sees them whose loop was busy meanwhile."""

    async def main() -> None:
        async with _limited(HANDLERS[kind]) as (port, serves_on):
            connection = await frames.Connection.open(port)
            await connection.ping()
            for turn in range(20):
                streams = range(turn * 50, (turn + 1) * 50)
                connection.writer.write(
                    b"".join(frames.request(2 * n + 1, block) + frames.reset(2 * n + 1) for n in streams)
                )
                time.sleep(0.001)  # noqa: ASYNC251 - more gathers in the socket
                await asyncio.sleep(0)
            await connection.ping()
            await serves_on()
            connection.close()

    run(main())


@pytest.mark.parametrize("kind", HANDLERS)
def test_connections_closed_in_the_middle_take_no_slot(kind: str) -> None:
    async def main() -> None:
        async with _limited(HANDLERS[kind]) as (port, serves_on):
            for aborts in (False, True) * 10:
                connection = await frames.Connection.open(port)
                calls = b"".join(frames.request(2 * n + 1, _BLOCK) for n in range(20))
                # The last one is not complete.
                connection.writer.write(calls[:-3])
                await asyncio.sleep(0.001)
                if aborts:
                    connection.writer.transport.abort()
                else:
                    connection.close()
            await serves_on()

    run(main())


def test_clients_that_cancel_while_the_loop_is_busy_take_no_slot() -> None:
    async def main() -> None:
        async with _limited(HANDLERS["suspends"]) as (port, serves_on):
            connection = await frames.Connection.open(port)
            busy = frames.headers("/t/Busy")
            stream = 1
            for _ in range(5):
                connection.writer.write(frames.request(stream, busy))
                await asyncio.sleep(0.01)
                for _ in range(50):
                    stream += 2
                    connection.writer.write(frames.request(stream, _BLOCK) + frames.reset(stream))
                stream += 2
            await connection.ping()
            await serves_on()
            connection.close()

    run(main())
