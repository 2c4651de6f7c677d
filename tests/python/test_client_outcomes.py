# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What callers are told of calls that went well, and of requests that cannot be sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from support import aio, run, service, serving

pytestmark = pytest.mark.uvgrpc_only


async def _one(request: bytes, _context: Any) -> bytes:
    return request


async def _few(request: bytes, _context: Any) -> AsyncIterator[bytes]:
    for _ in range(3):
        yield request


@pytest.mark.parametrize("arity", ["unary_unary", "unary_stream", "stream_unary", "stream_stream"])
def test_the_debug_string_of_a_call_that_is_ok_is_empty(arity: str) -> None:
    async def join(requests: AsyncIterator[bytes], _context: Any) -> bytes:
        return b"".join([request async for request in requests])

    async def chat(requests: AsyncIterator[bytes], _context: Any) -> AsyncIterator[bytes]:
        async for request in requests:
            yield request

    async def main() -> None:
        handlers = service(
            unary_unary=_one,
            unary_stream=grpc.unary_stream_rpc_method_handler(_few),
            stream_unary=grpc.stream_unary_rpc_method_handler(join),
            stream_stream=grpc.stream_stream_rpc_method_handler(chat),
        )
        async with serving(handlers) as running, aio.insecure_channel(running.target) as channel:
            method = getattr(channel, arity)(f"/test.Service/{arity}")
            call = method(iter([b"x"])) if arity.startswith("stream") else method(b"x")
            if arity.endswith("stream"):
                async for _ in call:
                    pass
            assert await call.code() is grpc.StatusCode.OK
            assert await call.debug_error_string() == ""
            assert await call.details() == ""

    run(main())


@pytest.mark.parametrize("way", ["unary_unary", "unary_stream", "write", "iterator"])
def test_a_serializer_that_returns_a_str_is_named(way: str) -> None:
    def careless(request: bytes) -> str:
        return "text"

    async def main() -> None:
        async with serving(service(One=_one)) as running, aio.insecure_channel(running.target) as channel:
            arity = way if way.startswith("unary") else "stream_unary"
            method = getattr(channel, arity)("/test.Service/One", request_serializer=careless)
            if way.startswith("unary"):
                with pytest.raises(TypeError, match="careless"):
                    method(b"x")
            elif way == "write":
                call = method()
                with pytest.raises(TypeError, match="careless"):
                    await call.write(b"x")
                call.cancel()
            else:
                call = method(iter([b"x"]))
                assert await call.code() is not grpc.StatusCode.OK
            assert await channel.unary_unary("/test.Service/One")(b"x") == b"x"

    run(main())


@pytest.mark.parametrize("arity", ["unary_unary", "stream_unary"])
def test_a_message_of_4_gib_is_refused(arity: str) -> None:
    def huge(_request: bytes) -> bytes:
        return bytes(2**32)  # of pages that nobody touches

    async def main() -> None:
        async with serving(service(One=_one)) as running, aio.insecure_channel(running.target) as channel:
            method = getattr(channel, arity)("/test.Service/One", request_serializer=huge)

            async def send() -> None:
                await (method(b"x") if arity == "unary_unary" else method().write(b"x"))

            with pytest.raises(ValueError, match="4 GiB"):
                await send()
            assert await channel.unary_unary("/test.Service/One")(b"x") == b"x"

    run(main())
