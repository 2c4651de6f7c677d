# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""100 MB over everything at once: TLS, interceptors on both sides, compression, a slow reader."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import tls
from support import aio, resident_bytes, run, service

METHOD = "/test.Service/Method"
MIB = 1024 * 1024
CHUNKS = 100


class ClientInterceptor(grpc.aio.StreamStreamClientInterceptor):
    def __init__(self) -> None:
        self.calls = 0

    async def intercept_stream_stream(
        self, continuation: Any, details: Any, request_iterator: Any
    ) -> AsyncIterator[bytes]:
        self.calls += 1
        call = await continuation(details, request_iterator)

        async def responses() -> AsyncIterator[bytes]:
            async for response in call:
                yield response

        return responses()


class ServerInterceptor(grpc.aio.ServerInterceptor):
    def __init__(self) -> None:
        self.calls = 0

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        self.calls += 1
        return await continuation(details)


@pytest.mark.slow
@pytest.mark.parametrize("slow", ["client", "server"])
def test_100_mb_arrive_whole_in_bounded_memory(slow: str) -> None:
    # Half of it compresses, half does not.
    pattern = hashlib.shake_128(b"seed").digest(8 * 1024)
    chunk = b"".join(bytes([i]) * 8 * 1024 + pattern for i in range(64))
    assert len(chunk) == MIB
    sent = hashlib.sha256()
    received = hashlib.sha256()
    sizes: list[int] = []
    encodings: list[str] = []
    interceptors = (ClientInterceptor(), ServerInterceptor())

    async def handler(requests: Any, context: Any) -> AsyncIterator[bytes]:
        async for request in requests:
            if slow == "server":
                await asyncio.sleep(0.01)
            yield request

    async def requests() -> AsyncIterator[bytes]:
        for number in range(CHUNKS):
            message = number.to_bytes(4, "big") + chunk
            sent.update(message)
            yield message

    async def main() -> None:
        generic = service(Method=grpc.stream_stream_rpc_method_handler(handler))
        async with (
            tls.serving_tls(
                tls.server_tls(),
                generic,
                interceptors=[interceptors[1]],
                compression=grpc.Compression.Gzip,
            ) as running,
            aio.secure_channel(
                running.target,
                tls.channel_tls(),
                compression=grpc.Compression.Gzip,
                interceptors=[interceptors[0]],
            ) as channel,
        ):
            call = channel.stream_stream(METHOD)(requests())
            async for response in call:
                received.update(response)
                if slow == "client":
                    await asyncio.sleep(0.01)
                sizes.append(resident_bytes())
            encodings.append(str(await call.code()))

    run(main(), limit=120)
    assert len(sizes) == CHUNKS
    assert received.digest() == sent.digest()
    assert encodings == ["StatusCode.OK"]
    assert [one.calls for one in interceptors] == [1, 1]
    # Windows open and buffers fill in the first tenth.
    assert max(sizes[10:]) - sizes[10] < 40 * MIB
