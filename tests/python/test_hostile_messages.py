# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Requests that are not as they should be: the right status, and the connection goes on."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import struct
import zlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
import hpack
import pytest
from google.protobuf import wrappers_pb2
from hostile.attacks import header_frames, literal
from peers import frames
from support import aio, resident_bytes, run, service, serving, unary

pytestmark = [pytest.mark.uvgrpc_only, pytest.mark.writes_stderr]

OK, CANCELLED, EXHAUSTED, DEADLINE, UNIMPLEMENTED, INTERNAL, UNKNOWN = 0, 1, 8, 4, 12, 13, 2
RESET = -1


async def _echo(request: bytes, context: Any) -> bytes:
    return request


async def _length(request: Any, context: Any) -> Any:
    return wrappers_pb2.StringValue(value=str(len(request.value)))


class Wire(frames.Connection):
    """Calls of raw frames, and how each of them ended."""

    def __init__(self, *streams: Any) -> None:
        super().__init__(*streams)
        self.decoder = hpack.Decoder()
        self.stream = -1

    def request(self, block: bytes, data: bytes | None, *, ends: bool = True) -> None:
        """Sends a call on a new stream; None is no DATA at all."""
        self.stream += 2
        self.writer.write(header_frames(self.stream, block, flags=1 if data is None else 0))
        if data is not None:
            parts = [data[at : at + 16384] for at in range(0, len(data), 16384)] or [b""]
            for part in parts[:-1]:
                self.writer.write(frames.frame(frames.DATA, 0, self.stream, part))
            self.writer.write(frames.frame(frames.DATA, 1 if ends else 0, self.stream, parts[-1]))

    async def status(self) -> tuple[int, str]:
        """The status of the last call, and its message; RESET for a stream that was reset."""
        while True:
            kind, flags, stream, payload = await self.next()
            if kind == frames.PING and not flags & 1:
                self.writer.write(frames.frame(frames.PING, 1, 0, payload))
            if kind == frames.HEADERS:
                found = dict(self.decoder.decode(payload))
                if stream == self.stream and flags & 1:
                    if "grpc-status" not in found:
                        return int(found[":status"]), "HTTP"
                    return int(found["grpc-status"]), found.get("grpc-message", "")
            elif kind == frames.RST_STREAM and stream == self.stream:
                return RESET, str(struct.unpack(">I", payload)[0])

    async def is_served(self) -> None:
        """The connection is good for another call."""
        self.request(frames.headers("/test.Service/Echo"), _message(b"x"))
        assert await self.status() == (OK, "")


def _message(body: bytes, *, compressed: int = 0, length: int | None = None) -> bytes:
    return struct.pack(">BI", compressed, len(body) if length is None else length) + body


@contextlib.asynccontextmanager
async def _wire(**options: Any) -> AsyncIterator[Wire]:
    value = unary(
        _length,
        request_deserializer=wrappers_pb2.StringValue.FromString,
        response_serializer=wrappers_pb2.StringValue.SerializeToString,
    )
    async with serving(service(Echo=_echo, Value=value), **options) as running:
        opened = await Wire.open(running.port)
        try:
            assert isinstance(opened, Wire)
            yield opened
        finally:
            opened.close()


_BOMB = gzip.compress(bytes(64 << 20))
_GZIP = literal(b"grpc-encoding", b"gzip")
_DEFLATE = literal(b"grpc-encoding", b"deflate")
_ECHO = frames.headers("/test.Service/Echo")
_VALUE = frames.headers("/test.Service/Value")


# What the call is, and how it may end. Where core is lenient (unknown flags, a second message), so is
# stock, which has the same one. Each goes on to another call on the connection.
CASES: dict[str, tuple[bytes, bytes | None, set[int]]] = {
    "over the limit": (_ECHO, _message(bytes(5 << 20)), {EXHAUSTED}),
    "says that it is over the limit": (_ECHO, _message(b"", length=0xFFFFFFFF), {EXHAUSTED}),
    "no message": (_ECHO, None, {INTERNAL}),
    "no message but an empty frame": (_ECHO, b"", {INTERNAL}),
    "half a prefix": (_ECHO, b"\0\0\0", {INTERNAL}),
    "half a message": (_ECHO, _message(b"abc", length=10), {INTERNAL}),
    "two messages": (_ECHO, _message(b"a") * 2, {OK}),
    "flagged as compressed, without a name": (_ECHO, _message(b"abc", compressed=1), {INTERNAL}),
    "flagged as compressed, and is not": (_ECHO + _GZIP, _message(b"abc", compressed=1), {INTERNAL}),
    "an unknown flag": (_ECHO, _message(b"abc", compressed=2), {OK}),
    "an unknown compression": (
        _ECHO + literal(b"grpc-encoding", b"brotli"),
        _message(b"abc", compressed=1),
        {INTERNAL},
    ),
    "truncated gzip": (_ECHO + _GZIP, _message(gzip.compress(bytes(1000))[:-9], compressed=1), {INTERNAL}),
    "deflate that is gzip": (_ECHO + _DEFLATE, _message(gzip.compress(b"x"), compressed=1), {INTERNAL}),
    "a gzip bomb": (_ECHO + _GZIP, _message(_BOMB, compressed=1), {EXHAUSTED}),
    "a deflate bomb": (
        _ECHO + _DEFLATE,
        _message(zlib.compress(bytes(64 << 20)), compressed=1),
        {EXHAUSTED},
    ),
    "not a message of protobuf's": (_VALUE, _message(b"\xff\xff\xff"), {UNKNOWN}),
    "protobuf with text that is not UTF-8": (_VALUE, _message(b"\x0a\x02\xff\xfe"), {UNKNOWN}),
    "protobuf that says it is long": (_VALUE, _message(b"\x0a\xff\xff\xff\xff\x07"), {UNKNOWN}),
    "a path that is not UTF-8": (
        b"\x83\x86" + literal(b":path", b"/\xff\xfe/\xfd") + frames.headers("/")[2 + 9 :],
        _message(b""),
        {UNIMPLEMENTED},
    ),
    "a path without a method": (frames.headers("/"), _message(b""), {UNIMPLEMENTED}),
    "a path that is no path": (frames.headers("test"), _message(b""), {UNIMPLEMENTED}),
    "a path of 8 KB": (
        b"\x83\x86" + literal(b":path", b"/" + b"a" * 8000) + frames.headers("/")[2 + 9 :],
        _message(b""),
        {UNIMPLEMENTED},
    ),
    "a path of 40 KB": (
        b"\x83\x86" + literal(b":path", b"/" + b"a" * 40_000) + frames.headers("/")[2 + 9 :],
        _message(b""),
        {EXHAUSTED},
    ),
    "metadata that is not UTF-8": (_ECHO + literal(b"x-a", b"\xff\xfe\x80"), _message(b"x"), {OK}),
    "metadata with control characters": (
        _ECHO + literal(b"x-a", b"\x01\x02"),
        _message(b"x"),
        {OK, INTERNAL},
    ),
    "binary metadata that is not base64": (
        _ECHO + literal(b"x-bin", b"!!!!"),
        _message(b"x"),
        {OK, INTERNAL},
    ),
    "metadata of 100 KB": (_ECHO + literal(b"x-a", b"v" * 100_000), _message(b"x"), {EXHAUSTED}),
    "a thousand keys": (
        _ECHO + b"".join(literal(b"x-%d" % index, b"v" * 50) for index in range(1000)),
        _message(b"x"),
        {EXHAUSTED},
    ),
    "a timeout that is none": (_ECHO + literal(b"grpc-timeout", b"soon"), _message(b"x"), {INTERNAL}),
    "a timeout of nothing": (
        _ECHO + literal(b"grpc-timeout", b"0n"),
        _message(b"x"),
        {OK, CANCELLED, DEADLINE},
    ),
    "a timeout with too many digits": (
        _ECHO + literal(b"grpc-timeout", b"9" * 30 + b"H"),
        _message(b"x"),
        {OK},
    ),
    "another content-type": (
        frames.headers("/test.Service/Echo").replace(b"\x10application/grpc", b"\x10application/json"),
        _message(b"x"),
        {OK},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_wrong_request_has_its_status_and_the_connection_goes_on(name: str) -> None:
    block, data, statuses = CASES[name]

    async def main() -> None:
        async with _wire() as wire:
            await wire.is_served()
            wire.request(block, data)
            status, details = await wire.status()
            assert status in statuses, (status, details)
            await wire.is_served()

    run(main())


def test_a_bomb_takes_no_memory() -> None:
    async def main() -> None:
        async with _wire() as wire:
            await wire.is_served()
            before = resident_bytes()
            for _ in range(20):
                wire.request(_ECHO + _GZIP, _message(_BOMB, compressed=1))
                assert (await wire.status())[0] == EXHAUSTED
            # Each is 64 MiB. What it was inflated to before the limit may be kept.
            assert resident_bytes() - before < 48 << 20

    run(main())


def test_a_message_that_never_ends_is_over_with_its_client() -> None:
    async def main() -> None:
        async with _wire() as wire:
            wire.request(_ECHO, _message(bytes(1000), length=1_000_000), ends=False)
            await wire.ping()
            wire.writer.write(frames.reset(wire.stream))
            await wire.is_served()

    run(main())


def test_replies_that_are_not_as_they_should_be() -> None:
    """The same from a server: the client has a status, and no exception of another kind."""
    replies = {
        "half a prefix": b"\0\0",
        "half a message": _message(b"abc", length=10),
        "says that it is over the limit": _message(b"", length=0xFFFFFFFF),
        "flagged as compressed, without a name": _message(b"abc", compressed=1),
        "an unknown flag": _message(b"abc", compressed=7),
    }

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = frames.Connection(reader, writer)
        await reader.readexactly(len(frames.PREFACE))
        writer.write(frames.frame(frames.SETTINGS, 0, 0))
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                kind, flags, stream, payload = await wire.next()
                if kind == frames.SETTINGS and not flags & 1:
                    writer.write(frames.frame(frames.SETTINGS, 1, 0))
                if kind == frames.PING and not flags & 1:
                    writer.write(frames.frame(frames.PING, 1, 0, payload))
                if kind == frames.DATA and flags & 1:
                    head = b"\x88" + literal(b"content-type", b"application/grpc")
                    writer.write(frames.frame(frames.HEADERS, 4, stream, head))
                    writer.write(frames.frame(frames.DATA, 0, stream, next(bodies)))
                    tail = literal(b"grpc-status", b"0")
                    writer.write(frames.frame(frames.HEADERS, 5, stream, tail))
        writer.close()

    async def main() -> None:
        server = await asyncio.start_unix_server(answer, path)
        async with aio.insecure_channel(f"unix:{path}") as channel:
            for _ in replies:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await channel.unary_unary("/t/Echo")(b"x", timeout=20)
                assert caught.value.code() in (
                    grpc.StatusCode.INTERNAL,
                    grpc.StatusCode.RESOURCE_EXHAUSTED,
                    grpc.StatusCode.UNKNOWN,
                )
        server.close()

    import tempfile

    bodies = iter(replies.values())
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/socket"
        run(main())
