# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""A client of raw HTTP/2 frames: what no client library would do."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterable

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
CANCEL = 8


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """An HTTP/2 frame."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def headers(path: str) -> bytes:
    """The block of a gRPC request's headers, without HPACK's table."""

    def literal(name: str, value: str) -> bytes:
        return bytes([0, len(name)]) + name.encode() + bytes([len(value)]) + value.encode()

    entries = {
        ":path": path,
        ":authority": "test",
        "te": "trailers",
        "content-type": "application/grpc",
    }
    # :method POST and :scheme http are in the static table.
    return b"\x83\x86" + b"".join(literal(*entry) for entry in entries.items())


def request(stream: int, block: bytes, message: bytes = b"") -> bytes:
    """The frames of a unary call."""
    body = struct.pack(">BI", 0, len(message)) + message
    return frame(HEADERS, 4, stream, block) + frame(DATA, 1, stream, body)


def reset(stream: int) -> bytes:
    """The frame that cancels a call."""
    return frame(RST_STREAM, 0, stream, struct.pack(">I", CANCEL))


class Connection:
    """A connection of frames."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, port: int, settings: Iterable[tuple[int, int]] = ()) -> Connection:
        """One that has greeted."""
        self = cls(*await asyncio.open_connection("127.0.0.1", port))
        self.greet(settings)
        return self

    def greet(self, settings: Iterable[tuple[int, int]] = ()) -> None:
        """Sends the preface."""
        payload = b"".join(struct.pack(">HI", *setting) for setting in settings)
        self.writer.write(PREFACE + frame(SETTINGS, 0, 0, payload) + frame(SETTINGS, 1, 0))

    async def next(self) -> tuple[int, int, int, bytes]:
        """Kind, flags, stream and payload of the next frame; IncompleteReadError at the end."""
        head = await self.reader.readexactly(9)
        length = int.from_bytes(head[:3], "big")
        kind, flags, stream = struct.unpack(">BBI", head[3:])
        return kind, flags, stream & 0x7FFFFFFF, await self.reader.readexactly(length)

    async def until(self, wanted: int) -> tuple[int, int, int, bytes]:
        """The next frame of a kind."""
        while True:
            found = await self.next()
            if found[0] == wanted:
                return found

    async def ping(self) -> None:
        """Returns when the peer has read all that was sent before."""
        self.writer.write(frame(PING, 0, 0, bytes(8)))
        await self.writer.drain()
        while (found := await self.until(PING))[1] & 1 == 0:
            self.writer.write(frame(PING, 1, 0, found[3]))

    def close(self) -> None:
        self.writer.close()
