# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How a server ends connections: the peer hears the end, garbage is turned away."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from peers import frames
from support import LIMIT, echo, run, service, serving

pytestmark = pytest.mark.uvgrpc_only


def test_an_invalid_preface_of_any_length_is_turned_away() -> None:
    async def is_turned_away(port: int, size: int) -> bool:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write((b"INVALID CONNECTION PREFACE\r\n\r\n" * 2)[:size])
        try:
            async with asyncio.timeout(3):
                with contextlib.suppress(ConnectionError):
                    await reader.read()
        except TimeoutError:
            return False
        finally:
            writer.close()
        return True

    async def main() -> None:
        async with serving(service(Method=echo)) as running:
            sizes = range(1, 34)
            away = await asyncio.gather(*(is_turned_away(running.port, size) for size in sizes))
            assert [size for size, gone in zip(sizes, away, strict=True) if not gone] == []

    run(main())


@pytest.mark.parametrize("size", [1, 3, 23])
def test_a_preface_that_comes_in_parts_is_waited_for(size: int) -> None:
    async def main() -> None:
        async with serving(service(Method=echo)) as running:
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            connection = frames.Connection(reader, writer)
            greeting = frames.PREFACE + frames.frame(frames.SETTINGS, 0, 0)
            writer.write(greeting[:size])
            await asyncio.sleep(0.1)
            writer.write(greeting[size:])
            async with asyncio.timeout(LIMIT):
                await connection.ping()
            writer.close()

    run(main())


@pytest.mark.parametrize("unread", [0, 100_000, 1_000_000])
def test_a_peer_that_was_sending_gets_goaway_when_the_server_stops(unread: int) -> None:
    """Closed with input unread, a socket sends a reset, and the last frames are lost."""

    async def main() -> None:
        async with serving(service(Method=echo)) as running:
            connection = await frames.Connection.open(running.port)
            await connection.ping()
            seen: list[Any] = []

            async def send() -> None:
                while True:
                    # For a stream that was never opened, so that no window holds it back.
                    connection.writer.write(frames.frame(0x20, 0, 0, bytes(10_000)))
                    await connection.writer.drain()
                    await asyncio.sleep(0)

            connection.writer.write(frames.frame(0x20, 0, 0, bytes(10_000)) * (unread // 10_000))
            sender = asyncio.ensure_future(send())
            stopping = asyncio.ensure_future(running.server.stop(None))
            async with asyncio.timeout(10):
                with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                    while True:
                        seen.append((await connection.next())[0])
            sender.cancel()
            await asyncio.wait([sender, stopping])
            assert isinstance(sender.cancelled() or sender.exception(), bool | ConnectionError)
            connection.close()
            assert frames.GOAWAY in seen

    run(main())
