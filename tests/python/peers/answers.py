# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""A server of raw HTTP/2 frames: what no gRPC server would answer."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Callable
from typing import Any

from peers import frames

OK_HEADERS = ((":status", "200"), ("content-type", "application/grpc"))
OK_TRAILERS = (("grpc-status", "0"),)

# The bytes that answer a request on a stream.
Answer = Callable[[int], bytes]


def block(*pairs: tuple[str, str | bytes]) -> bytes:
    """Headers without HPACK's table."""

    def text(value: str | bytes) -> bytes:
        data = value.encode() if isinstance(value, str) else value
        size, head = len(data), b""
        if size >= 127:
            head, size = b"\x7f", size - 127
            while size >= 128:
                head += bytes([size & 127 | 128])
                size >>= 7
        return head + bytes([size]) + data

    return b"".join(b"\0" + text(name) + text(value) for name, value in pairs)


def headers(stream: int, *pairs: tuple[str, str | bytes], end: bool = False) -> bytes:
    """The frames of headers or trailers."""
    rest = block(*pairs)
    parts = [rest[at : at + 16_000] for at in range(0, len(rest), 16_000)] or [b""]
    out = b""
    for index, part in enumerate(parts):
        last = 4 if index == len(parts) - 1 else 0
        # CONTINUATION is of type 9.
        out += frames.frame(9 if index else frames.HEADERS, last | (end and not index), stream, part)
    return out


def message(stream: int, data: bytes, *, compressed: int = 0, end: bool = False) -> bytes:
    """The frames of one gRPC message."""
    whole = struct.pack(">BI", compressed, len(data)) + data
    return body(stream, whole, end=end)


def body(stream: int, data: bytes, *, end: bool = False) -> bytes:
    """DATA frames."""
    parts = [data[at : at + 16_000] for at in range(0, len(data), 16_000)] or [b""]
    return b"".join(frames.frame(frames.DATA, int(end and part is parts[-1]), stream, part) for part in parts)


@contextlib.asynccontextmanager
async def answering(answer: Answer, *, after_request: bool = True) -> AsyncIterator[str]:
    """A server whose requests are answered with these bytes. Gives its target.

    Args:
      answer: makes the bytes; None closes the connection.
      after_request: answer when the request has ended, not when it begins.
    """
    writers: list[asyncio.StreamWriter] = []
    handlers: list[Any] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        handlers.append(asyncio.current_task())
        connection = frames.Connection(reader, writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readexactly(len(frames.PREFACE))
            writer.write(frames.frame(frames.SETTINGS, 0, 0))
            while True:
                kind, flags, stream, payload = await connection.next()
                if kind == frames.SETTINGS and not flags & 1:
                    writer.write(frames.frame(frames.SETTINGS, 1, 0))
                elif kind == frames.PING and not flags & 1:
                    writer.write(frames.frame(frames.PING, 1, 0, payload))
                elif (kind == frames.HEADERS and not after_request) or (
                    kind in (frames.HEADERS, frames.DATA) and flags & 1 and after_request
                ):
                    writer.write(answer(stream))
                if kind == frames.DATA and payload:
                    window = struct.pack(">I", len(payload))
                    writer.write(frames.frame(frames.WINDOW_UPDATE, 0, 0, window))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in writers:
            writer.close()
        if handlers:
            await asyncio.wait(handlers)
