# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Shows which messages came compressed, which grpc.aio's API does not.

With the channel argument in OPTIONS core leaves messages as they came, and the codecs here do
what it leaves out: they tell a gzip stream from a protobuf message and unpack it.
"""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import grpc

OPTIONS = (("grpc.per_message_decompression", 0),)

# No message of ours begins so: it would be field 3 with a wire type that does not exist.
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Flagged:
    """A message, and whether it came compressed."""

    message: Any
    compressed: bool


def flagged(deserializer: Callable[[bytes], Any]) -> Callable[[bytes], Flagged]:
    """The deserializer for a channel or server with OPTIONS."""

    def deserialize(data: bytes) -> Flagged:
        if data.startswith(_GZIP):
            return Flagged(deserializer(gzip.decompress(data)), True)
        return Flagged(deserializer(data), False)

    return deserialize


class FlagCheckingServer:
    """Takes the place of a server with OPTIONS when a service is added to it.

    A call whose request says with `expect_compressed` what it is not fails with
    INVALID_ARGUMENT, as the standard cases want it.
    """

    def __init__(self, server: Any) -> None:
        self._server = server

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        """Nothing: generated code gives the same ones as registered handlers."""

    def add_registered_method_handlers(self, service: str, handlers: dict[str, Any]) -> None:
        checked = {name: _checked(handler) for name, handler in handlers.items()}
        self._server.add_registered_method_handlers(service, checked)


def _checked(handler: grpc.RpcMethodHandler) -> grpc.RpcMethodHandler:
    codecs = {
        "request_deserializer": flagged(handler.request_deserializer),
        "response_serializer": handler.response_serializer,
    }
    if handler.unary_unary:
        return grpc.unary_unary_rpc_method_handler(_checked_unary(handler.unary_unary), **codecs)
    if handler.stream_unary:
        return grpc.stream_unary_rpc_method_handler(_checked_stream(handler.stream_unary), **codecs)
    # No case sends compressed messages to the others.
    return handler


def _checked_unary(behavior: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def check(request: Flagged, context: Any) -> Any:
        await _check(request, context)
        return await behavior(request.message, context)

    return check


def _checked_stream(behavior: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def messages(requests: AsyncIterable[Flagged], context: Any) -> AsyncIterator[Any]:
        async for request in requests:
            await _check(request, context)
            yield request.message

    async def check(requests: AsyncIterable[Flagged], context: Any) -> Any:
        return await behavior(messages(requests, context), context)

    return check


async def _check(request: Flagged, context: Any) -> None:
    message = request.message
    names = message.DESCRIPTOR.fields_by_name
    if "expect_compressed" not in names or not message.HasField("expect_compressed"):
        return
    if message.expect_compressed.value != request.compressed:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"compressed: {request.compressed}")
