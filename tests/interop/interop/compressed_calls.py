# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The standard cases about compression, as a client of grpc.aio's API runs them.

Those of requests let the server check which came compressed. Those of responses come twice: on
a channel as it is, where core unpacks them, and on one that shows how they came. Neither
grpc.aio's client nor grpc-go's server can change the compression of a stream half-way.
"""

from __future__ import annotations

from typing import Any

import grpc
from support import error_of

from interop.flags import Flagged, flagged
from interop.messages import LARGE_REQUEST, LARGE_RESPONSE, expect_body, payload
from interop.stubs import pb2, pb2_grpc

_GZIP = grpc.Compression.Gzip
_UNARY_CALL = "/grpc.testing.TestService/UnaryCall"
_STREAMING_OUTPUT_CALL = "/grpc.testing.TestService/StreamingOutputCall"
_OUTPUT_SIZES = (31415, 92653)


def _boolean(value: bool) -> Any:
    return pb2.BoolValue(value=value)


def _as_they_come(response: Any) -> tuple[Any, bool | None]:
    """A response, and whether it came compressed if the channel shows that."""
    if isinstance(response, Flagged):
        return response.message, response.compressed
    return response, None


async def client_compressed_unary(channel: Any) -> None:
    stub = pb2_grpc.TestServiceStub(channel)

    def call(announced: bool, compression: grpc.Compression | None) -> Any:
        request = pb2.SimpleRequest(
            expect_compressed=_boolean(announced),
            response_size=LARGE_RESPONSE,
            payload=payload(LARGE_REQUEST),
        )
        return stub.UnaryCall(request, compression=compression)

    for announced, compression in ((True, None), (False, _GZIP)):
        error = await error_of(call(announced, compression))
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    for announced, compression in ((True, _GZIP), (False, None)):
        expect_body(await call(announced, compression), LARGE_RESPONSE)


async def client_compressed_streaming(channel: Any) -> None:
    stub = pb2_grpc.TestServiceStub(channel)

    async def send(announced: bool, compression: grpc.Compression | None, *sizes: int) -> Any:
        async def requests() -> Any:
            for size in sizes:
                yield pb2.StreamingInputCallRequest(
                    expect_compressed=_boolean(announced), payload=payload(size)
                )

        return await stub.StreamingInputCall(requests(), compression=compression)

    for announced, compression in ((True, None), (False, _GZIP)):
        error = await error_of(send(announced, compression, 27182))
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    for announced, compression in ((True, _GZIP), (False, None)):
        response = await send(announced, compression, 27182, 45904)
        assert response.aggregated_payload_size == 27182 + 45904


async def _server_compressed_unary(channel: Any, deserializer: Any) -> list[bool | None]:
    """The flags of a response that is to be compressed, and of one that is not."""
    method = channel.unary_unary(_UNARY_CALL, pb2.SimpleRequest.SerializeToString, deserializer)
    flags = []
    for compressed in (True, False):
        request = pb2.SimpleRequest(
            response_compressed=_boolean(compressed),
            response_size=LARGE_RESPONSE,
            payload=payload(LARGE_REQUEST),
        )
        response, flag = _as_they_come(await method(request))
        expect_body(response, LARGE_RESPONSE)
        flags.append(flag)
    return flags


async def _server_compressed_streaming(channel: Any, deserializer: Any) -> list[bool | None]:
    """The flags of the responses of a stream to be compressed, and of one that is not."""
    method = channel.unary_stream(
        _STREAMING_OUTPUT_CALL, pb2.StreamingOutputCallRequest.SerializeToString, deserializer
    )
    flags = []
    for compressed in (True, False):
        parameters = [
            pb2.ResponseParameters(size=size, compressed=_boolean(compressed)) for size in _OUTPUT_SIZES
        ]
        sizes = list(_OUTPUT_SIZES)
        async for each in method(pb2.StreamingOutputCallRequest(response_parameters=parameters)):
            response, flag = _as_they_come(each)
            expect_body(response, sizes.pop(0))
            flags.append(flag)
        assert sizes == []
    return flags


async def server_compressed_unary(channel: Any) -> None:
    await _server_compressed_unary(channel, pb2.SimpleResponse.FromString)


async def server_compressed_streaming(channel: Any) -> None:
    await _server_compressed_streaming(channel, pb2.StreamingOutputCallResponse.FromString)


async def flags_of_server_compressed_unary(channel: Any) -> None:
    flags = await _server_compressed_unary(channel, flagged(pb2.SimpleResponse.FromString))
    assert flags == [True, False]


async def flags_of_server_compressed_streaming(channel: Any) -> None:
    deserializer = flagged(pb2.StreamingOutputCallResponse.FromString)
    assert await _server_compressed_streaming(channel, deserializer) == [True, True, False, False]


# On a channel as it is, and on one with interop.flags.OPTIONS.
CASES = {
    case.__name__: case
    for case in (
        client_compressed_unary,
        client_compressed_streaming,
        server_compressed_unary,
        server_compressed_streaming,
    )
}
FLAG_CASES = {
    case.__name__: case for case in (flags_of_server_compressed_unary, flags_of_server_compressed_streaming)
}
