# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""A service of bytes in uvgrpc's own API, and what its tests share."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc

import uvgrpc

# By the methods' names: whether requests and responses are streams.
ARITIES = {
    "UnaryUnary": (False, False),
    "UnaryStream": (False, True),
    "StreamUnary": (True, False),
    "StreamStream": (True, True),
}
SERVICE = uvgrpc.Service(
    "test.Own",
    {name: uvgrpc.Method(name, *arity, None, None, None, None) for name, arity in ARITIES.items()},
)


class Echo:
    """Gives back what it gets; a stream of responses has each request twice."""

    async def UnaryUnary(self, request: bytes, context: Any) -> bytes:
        return request

    async def UnaryStream(self, context: Any) -> None:
        request = await context.receive()
        await context.send(request)
        await context.send(request)

    async def StreamUnary(self, context: Any) -> bytes:
        return b"".join([request async for request in context])

    async def StreamStream(self, context: Any) -> None:
        async for request in context:
            await context.send(request)
            await context.send(request)


class Stub:
    """Multi-callables of the service."""

    def __init__(self, channel: Any) -> None:
        self.UnaryUnary = channel.unary_unary(SERVICE.path("UnaryUnary"))
        self.UnaryStream = channel.unary_stream(SERVICE.path("UnaryStream"))
        self.StreamUnary = channel.stream_unary(SERVICE.path("StreamUnary"))
        self.StreamStream = channel.stream_stream(SERVICE.path("StreamStream"))


@contextlib.asynccontextmanager
async def own_serving(
    servicer: Any, *, client: Any = None, propagate: Any = False, **options: Any
) -> AsyncIterator[Stub]:
    """A stub of a server of `servicer`.

    Args:
      client: client interceptors.
      propagate: of the channel.
      options: of the server.
    """
    server = uvgrpc.server(**options)
    server.add_servicer(servicer, SERVICE)
    port = server.add_insecure_port("127.0.0.1:0")
    async with (
        server,
        uvgrpc.insecure_channel(f"127.0.0.1:{port}", interceptors=client, propagate=propagate) as channel,
    ):
        yield Stub(channel)


async def all_of(call: Any) -> list[bytes]:
    """What is received until the end."""
    messages = []
    with contextlib.suppress(uvgrpc.EOF):
        while True:
            messages.append(await call.receive())
    return messages


class Wrapping(grpc.aio.ServerInterceptor):
    """Hands on a handler with the same behavior that is another object."""

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        handler = await continuation(details)
        kind = "_".join(
            "stream" if streams else "unary"
            for streams in (handler.request_streaming, handler.response_streaming)
        )
        return getattr(grpc, f"{kind}_rpc_method_handler")(getattr(handler, kind))
