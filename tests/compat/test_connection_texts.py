# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What the status of a call says of a connection that is lost: programs look for these words."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

import grpc
import pytest
from rig import looped
from support import aio, error_of, unused_port

# uvloop looks the address up in libuv's pool.
pytestmark = pytest.mark.pool_threads

_SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"


async def _failure(port: int) -> grpc.aio.AioRpcError:
    async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        return await error_of(channel.unary_unary("/a/A")(b"", timeout=10))


@pytest.mark.parametrize("greets", [False, True])
@pytest.mark.parametrize("resets", [False, True])
@looped
async def test_a_connection_that_is_lost(greets: bool, resets: bool) -> None:
    async def lose(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        if greets:
            writer.write(_SETTINGS)
            await writer.drain()
            await asyncio.sleep(0.1)
        if resets:
            own: Any = writer.get_extra_info("socket")
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()

    server = await asyncio.start_server(lose, "127.0.0.1", 0)
    async with server:
        error = await _failure(server.sockets[0].getsockname()[1])
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    words = "Connection reset by peer" if resets else "Socket closed"
    assert words in (error.details() or "")


@looped
async def test_a_connection_that_is_refused() -> None:
    error = await _failure(unused_port())
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert "Connection refused" in (error.details() or "")
