# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What a server answers requests that no gRPC client makes, and what its handler sees."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import zlib
from typing import Any

import grpc
import hpack
from peers import frames
from peers.answers import headers, message
from support import serving

from filter_cases.rig import Obeying, case

Pairs = tuple[tuple[str, str | bytes], ...]

GOOD: dict[str, str | bytes] = {
    ":method": "POST",
    ":scheme": "http",
    ":path": "/test.Service/unary_unary",
    ":authority": "test",
    "te": "trailers",
    "content-type": "application/grpc",
}
GONE = b"gone"


def but(**changes: str | bytes) -> Pairs:
    """GOOD with other values; `gone` takes one away."""
    names = {name.lstrip(":").replace("-", "_"): name for name in GOOD}
    changed = {names.get(key, key.replace("_", "-")): value for key, value in changes.items()}
    return tuple((name, value) for name, value in {**GOOD, **changed}.items() if value != GONE)


HEADERS: dict[str, Pairs] = {
    "good": but(),
    **{
        f"no {name}": but(**{name: GONE})
        for name in ("method", "scheme", "path", "authority", "te", "content_type")
    },
    "method GET": but(method="GET"),
    "method PUT": but(method="PUT"),
    "method odd": but(method="BREW"),
    "scheme https": but(scheme="https"),
    "scheme odd": but(scheme="gopher"),
    "te odd": but(te="gzip"),
    "te empty": but(te=""),
    "content type +proto": but(content_type="application/grpc+proto"),
    "content type odd": but(content_type="text/html"),
    "content type empty": but(content_type=""),
    "path empty": but(path=""),
    "path unknown": but(path="/test.Service/none"),
    "path without slash": but(path="nothing"),
    "authority empty": but(authority=""),
    "host for authority": but(authority=GONE, host="other"),
    "host and authority": but(host="other"),
    "user agent": but(user_agent="me/1"),
    "timeout": but(grpc_timeout="1S"),
    "timeout odd": but(grpc_timeout="x"),
    "encoding gzip": but(grpc_encoding="gzip"),
    "encoding odd": but(grpc_encoding="snappy"),
    "encoding identity": but(grpc_encoding="identity"),
    "accept odd": but(grpc_accept_encoding="snappy,gzip"),
    "accept empty": but(grpc_accept_encoding=""),
    "status in request": but(grpc_status="5", grpc_message="m"),
    "previous attempts": but(grpc_previous_rpc_attempts="2"),
    "binary": but(x_bin="AAH/"),
    "broken binary": but(x_bin="A*"),
    "large": but(x_large="v" * 7_000),
    "too large": but(x_large="v" * 20_000),
    "internal request": but(grpc_internal_encoding_request="gzip"),
    "details percent": but(abort="3", details="a%20b"),
    "details unicode": but(abort="3", details="x y\u007f"),
}

ZIPPED = but(grpc_encoding="gzip")
MESSAGES: dict[str, tuple[Pairs, bytes, int]] = {
    "gzip": (ZIPPED, gzip.compress(b"hello", mtime=0), 1),
    "deflate": (but(grpc_encoding="deflate"), zlib.compress(b"hello"), 1),
    "gzip plain": (ZIPPED, b"hello", 0),
    "corrupt gzip": (ZIPPED, b"not gzip at all", 1),
    "truncated gzip": (ZIPPED, gzip.compress(bytes(range(256)), mtime=0)[:-9], 1),
    "without encoding": (but(), gzip.compress(b"hello", mtime=0), 1),
    "identity": (but(grpc_encoding="identity"), b"hello", 1),
    "unknown": (but(grpc_encoding="snappy"), b"hello", 1),
    "unknown plain": (but(grpc_encoding="snappy"), b"hello", 0),
    "flag 2": (but(), b"hello", 2),
    "empty compressed": (ZIPPED, b"", 1),
    "bomb": (ZIPPED, gzip.compress(bytes(50_000_000), 1, mtime=0), 1),
    "too large": (but(), bytes((4 << 20) + 1), 0),
}


async def exchanged(port: int, sent: bytes) -> list[Any]:
    """The frames that a stream gets as an answer, with their headers as text."""
    connection = await frames.Connection.open(port)
    decoder = hpack.Decoder()
    decoder.max_header_list_size = 1 << 20
    got: list[Any] = []
    # Windows that no answer fills.
    connection.writer.write(sent)
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, TimeoutError):
        async with asyncio.timeout(3):
            while True:
                kind, flags, stream, payload = await connection.next()
                if kind == frames.HEADERS:
                    pairs = decoder.decode(payload, raw=True)
                    got.append(["headers", flags & 1, sorted(f"{k.decode()}={v!r}" for k, v in pairs)])
                elif kind == frames.DATA:
                    got.append(["data", flags & 1, payload[:20].hex(), len(payload)])
                elif kind == frames.RST_STREAM:
                    got.append(["reset", payload.hex()])
                elif kind == frames.GOAWAY:
                    got.append(["goaway", payload[4:8].hex()])
                    break
                if stream == 1 and kind in (frames.HEADERS, frames.DATA) and flags & 1:
                    break
                if kind == frames.RST_STREAM:
                    break
    connection.close()
    return got


async def served(sent: bytes, **options: Any) -> Any:
    obeying = Obeying()
    async with serving(obeying.handler(), **options) as running:
        answer = await exchanged(running.port, sent)
        return without_twice(answer), obeying.seen


def without_twice(answer: list[Any]) -> list[Any]:
    """Core's filters write the status twice when they refuse a call; ours once."""
    return [[*part[:2], sorted(set(part[2]))] if part[0] == "headers" else part for part in answer]


@case(*HEADERS)
async def request_headers(name: str) -> Any:
    return await served(headers(1, *HEADERS[name]) + message(1, b"hello", end=True))


@case(*HEADERS)
async def request_headers_of_a_stream(name: str) -> Any:
    pairs = tuple(
        (k, v.replace("unary_unary", "stream_stream") if isinstance(v, str) else v) for k, v in HEADERS[name]
    )
    sent = headers(1, *pairs, ("sizes", "[3, 4]")) + message(1, b"hello") + message(1, b"", end=True)
    return await served(sent)


@case(*HEADERS)
async def only_headers(name: str) -> Any:
    return await served(headers(1, *HEADERS[name], end=True))


@case(*((arity, name) for arity in ("unary_unary", "stream_stream") for name in MESSAGES))
async def request_message(arity: str, name: str) -> Any:
    pairs, data, compressed = MESSAGES[name]
    pairs = tuple((k, v.replace("unary_unary", arity) if isinstance(v, str) else v) for k, v in pairs)
    window = frames.frame(frames.WINDOW_UPDATE, 0, 0, (1 << 24).to_bytes(4, "big"))
    return await served(window + headers(1, *pairs) + message(1, data, compressed=compressed, end=True))


@case(
    *(
        (key, value, name)
        for key, value in (
            ("grpc.compression_enabled_algorithms_bitset", 1),
            ("grpc.compression_enabled_algorithms_bitset", 3),
            ("grpc.per_message_decompression", 0),
            ("grpc.surface_user_agent", 0),
            ("grpc.max_receive_message_length", 3),
            ("grpc.max_receive_message_length", -1),
        )
        for name in ("gzip", "deflate", "corrupt gzip", "without encoding", "too large", "unknown")
    )
)
async def request_message_with_option(key: str, value: int, name: str) -> Any:
    pairs, data, compressed = MESSAGES[name]
    sent = headers(1, *pairs, ("user-agent", "me/1")) + message(1, data, compressed=compressed, end=True)
    return await served(sent, options=((key, value),))


@case("unary_unary", "stream_stream")
async def the_answer_takes_the_default_compression(arity: str) -> Any:
    pairs = but(path=f"/test.Service/{arity}", sizes="[1000, 10]")
    algorithms = {}
    for name in ("NoCompression", "Gzip", "Deflate"):
        compression = getattr(grpc.Compression, name)
        sent = headers(1, *pairs) + message(1, b"hello", end=True)
        algorithms[name] = await served(sent, compression=compression)
    return algorithms
