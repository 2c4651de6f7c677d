# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What a client makes of answers that no gRPC server gives."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

from peers import frames
from peers.answers import OK_HEADERS, OK_TRAILERS, Answer, answering, body, headers, message
from support import aio

from filter_cases.rig import case, config, live

HTML = b"<html><body>Not Found</body></html>"


def zipped(data: bytes, level: int = 9) -> bytes:
    """The same bytes at any time."""
    return gzip.compress(data, level, mtime=0)


def whole(*pairs: tuple[str, str | bytes]) -> Answer:
    """Only headers, which end the call."""
    return lambda stream: headers(stream, *pairs, end=True)


def parts(*makers: Any) -> Answer:
    return lambda stream: b"".join(make(stream) for make in makers)


def head(*pairs: tuple[str, str | bytes]) -> Answer:
    return lambda stream: headers(stream, *pairs)


def text(data: bytes, *, end: bool = False) -> Answer:
    return lambda stream: body(stream, data, end=end)


def says(data: bytes, compressed: int = 0, *, end: bool = False) -> Answer:
    return lambda stream: message(stream, data, compressed=compressed, end=end)


def status(code: str) -> tuple[str, str]:
    return (":status", code)


GRPC = ("content-type", "application/grpc")
HTML_TYPE = ("content-type", "text/html")
GREET, BYE = head(*OK_HEADERS), whole(*OK_TRAILERS)
GZIPPED = head(*OK_HEADERS, ("grpc-encoding", "gzip"))

ANSWERS: dict[str, Answer] = {
    "good": parts(GREET, says(b"hello"), BYE),
    **{
        f"{code} html": parts(head(status(code), HTML_TYPE), text(HTML, end=True))
        for code in ("301", "400", "401", "403", "404", "418", "429", "500", "502", "503", "504")
    },
    **{f"{code} only headers": whole(status(code)) for code in ("204", "404", "503")},
    **{
        f"{code} and grpc-status": whole(status(code), GRPC, ("grpc-status", "7"), ("grpc-message", "m"))
        for code in ("200", "404", "503")
    },
    "404 then trailers": parts(head(status("404"), GRPC), whole(("grpc-status", "5"), ("grpc-message", "t"))),
    "503 message trailers": parts(head(status("503"), GRPC), says(b"hello"), BYE),
    "503 trailers with http status": parts(GREET, says(b"x"), whole(status("503"), ("grpc-status", "0"))),
    "200 html": parts(head(status("200"), HTML_TYPE), text(HTML, end=True)),
    "100 first": parts(head(status("100")), GREET, says(b"hello"), BYE),
    "103 first": parts(head(status("103"), ("link", "x")), GREET, says(b"hello"), BYE),
    "status 0": whole(status("0")),
    "status text": whole(status("abc")),
    "no status": whole(GRPC, ("grpc-status", "0")),
    "trailers only": whole(*OK_HEADERS, ("grpc-status", "13"), ("grpc-message", "why"), ("x-a", "b")),
    "trailers only ok": whole(*OK_HEADERS, ("grpc-status", "0")),
    "no grpc-status": parts(GREET, says(b"hello"), whole(("x-a", "b"))),
    "no trailers": parts(GREET, says(b"hello", end=True)),
    "no trailers, no message": parts(GREET, text(b"", end=True)),
    "status 99": whole(*OK_HEADERS, ("grpc-status", "99"), ("grpc-message", "m")),
    "status word": whole(*OK_HEADERS, ("grpc-status", "ok"), ("grpc-message", "m")),
    "status empty": whole(*OK_HEADERS, ("grpc-status", "")),
    "status minus": whole(*OK_HEADERS, ("grpc-status", "-1")),
    "percent": whole(*OK_HEADERS, ("grpc-status", "3"), ("grpc-message", "a%20b%C3%A9%0A")),
    "broken percent": whole(*OK_HEADERS, ("grpc-status", "3"), ("grpc-message", "a%2 b%zz%")),
    "percent bytes": whole(*OK_HEADERS, ("grpc-status", "3"), ("grpc-message", "%ff%fe")),
    "raw bytes": whole(*OK_HEADERS, ("grpc-status", "3"), ("grpc-message", "é".encode())),
    "message in initial": parts(head(*OK_HEADERS, ("grpc-message", "a%20b")), says(b"x"), BYE),
    "status in initial": parts(head(*OK_HEADERS, ("grpc-status", "3")), says(b"x"), BYE),
    "percent trailing": parts(GREET, says(b"x"), whole(("grpc-status", "3"), ("grpc-message", "a%20b"))),
    "other content type": parts(
        head(status("200"), ("content-type", "application/grpc+proto")), says(b"x"), BYE
    ),
    "no content type": parts(head(status("200")), says(b"x"), BYE),
    "content type in trailers": parts(GREET, says(b"x"), whole(("grpc-status", "0"), GRPC)),
    "gzip": parts(GZIPPED, says(zipped(b"hello" * 100), 1), BYE),
    "gzip not compressed": parts(GZIPPED, says(b"hello"), BYE),
    "deflate": parts(head(*OK_HEADERS, ("grpc-encoding", "deflate")), says(zlib.compress(b"hello"), 1), BYE),
    "unknown encoding": parts(head(*OK_HEADERS, ("grpc-encoding", "snappy")), says(b"hello", 1), BYE),
    "unknown encoding plain": parts(head(*OK_HEADERS, ("grpc-encoding", "snappy")), says(b"hello"), BYE),
    "identity but compressed": parts(
        head(*OK_HEADERS, ("grpc-encoding", "identity")), says(b"hello", 1), BYE
    ),
    "compressed without encoding": parts(GREET, says(zipped(b"hello"), 1), BYE),
    "corrupt gzip": parts(GZIPPED, says(b"this is not gzip", 1), BYE),
    "truncated gzip": parts(GZIPPED, says(zipped(bytes(range(256)) * 9)[:-9], 1), BYE),
    "gzip and more": parts(GZIPPED, says(zipped(b"hello") + b"more", 1), BYE),
    "empty gzip": parts(GZIPPED, says(b"", 1), BYE),
    "corrupt and status": parts(
        GZIPPED, says(b"no gzip", 1), whole(("grpc-status", "9"), ("grpc-message", "s"))
    ),
    "corrupt second": parts(GZIPPED, says(zipped(b"1"), 1), says(b"no", 1), says(b"3"), BYE),
    "bomb": parts(GZIPPED, says(zipped(bytes(50_000_000), 1), 1), BYE),
    "too large": parts(GREET, says(bytes((4 << 20) + 1)), BYE),
    "flag 2": parts(GREET, says(b"hello", 2), BYE),
    "truncated message": parts(GREET, text(b"\0\0\0\0\x09abc"), BYE),
    "two messages": parts(GREET, says(b"1"), says(b"2"), BYE),
    "no message": parts(GREET, BYE),
    "retry pushback": whole(*OK_HEADERS, ("grpc-status", "14"), ("grpc-retry-pushback-ms", "-1")),
    "bad pushback": whole(*OK_HEADERS, ("grpc-status", "14"), ("grpc-retry-pushback-ms", "x")),
    "large trailing": parts(GREET, says(b"x"), whole(*OK_TRAILERS, ("x-large", "v" * 7_000))),
    "too large trailing": parts(GREET, says(b"x"), whole(*OK_TRAILERS, ("x-large", "v" * 40_000))),
    "too large initial": parts(head(*OK_HEADERS, ("x-large", "v" * 40_000)), says(b"x"), BYE),
    "reset refused": lambda stream: frames.frame(frames.RST_STREAM, 0, stream, b"\0\0\0\7"),
    "reset cancel": parts(GREET, says(b"x"), lambda s: frames.frame(frames.RST_STREAM, 0, s, b"\0\0\0\x08")),
    "reset no error": parts(GREET, says(b"x"), lambda s: frames.frame(frames.RST_STREAM, 0, s, b"\0\0\0\0")),
    "reset after trailers": parts(GREET, says(b"x"), BYE, lambda s: frames.frame(3, 0, s, b"\0\0\0\0")),
    "goaway": parts(GREET, lambda _: frames.frame(frames.GOAWAY, 0, 0, bytes(8))),
    "goaway after": parts(
        GREET, says(b"x"), BYE, lambda s: frames.frame(7, 0, 0, bytes([0, 0, 0, s]) + bytes(4))
    ),
}

RETRIES = {
    "maxAttempts": 3,
    "initialBackoff": "0.001s",
    "maxBackoff": "0.001s",
    "backoffMultiplier": 1,
    "retryableStatusCodes": ["UNAVAILABLE", "INTERNAL", "UNKNOWN", "UNIMPLEMENTED", "PERMISSION_DENIED"],
}
WITHOUT_RETRIES = (("grpc.enable_retries", 0),)


@case(*((arity, name) for arity in ("unary_unary", "stream_stream") for name in ANSWERS))
async def answered(arity: str, name: str) -> Any:
    async with answering(ANSWERS[name]) as target, aio.insecure_channel(target) as channel:
        # Some answers never end their call.
        return await live(channel, arity, [b"request"], timeout=3 if name != "goaway" else 0.5)


@case(*ANSWERS)
async def answered_at_once(name: str) -> Any:
    """While the client is about to write."""
    async with (
        answering(ANSWERS[name], after_request=False) as target,
        aio.insecure_channel(target, options=WITHOUT_RETRIES) as channel,
    ):
        result = await live(
            channel, "stream_stream", [b"1", b"2", b"3"], timeout=3 if name != "goaway" else 0.5
        )
        return result


@case(*ANSWERS)
async def answered_and_retried(name: str) -> Any:
    attempts = 0

    def count(stream: int) -> bytes:
        nonlocal attempts
        attempts += 1
        return ANSWERS[name](stream)

    async with (
        answering(count) as target,
        aio.insecure_channel(target, options=config(retryPolicy=RETRIES)) as channel,
    ):
        result = await live(channel, "unary_unary", [b"request"], timeout=3 if name != "goaway" else 0.5)
        return result, attempts


@case(
    *(
        (key, value, name)
        for key, value in (
            ("grpc.compression_enabled_algorithms_bitset", 1),
            ("grpc.compression_enabled_algorithms_bitset", 3),
            ("grpc.per_message_decompression", 0),
            ("grpc.per_message_compression", 0),
        )
        for name in (
            "good",
            "gzip",
            "deflate",
            "corrupt gzip",
            "unknown encoding",
            "compressed without encoding",
        )
    )
)
async def with_option(key: str, value: int, name: str) -> Any:
    async with (
        answering(ANSWERS[name]) as target,
        aio.insecure_channel(target, options=((key, value),)) as channel,
    ):
        return await live(channel, "unary_unary", [b"request"])
