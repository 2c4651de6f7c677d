# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The sizes and names that the standard cases prescribe, and messages made of them."""

from __future__ import annotations

from typing import Any

from interop.stubs import pb2

LARGE_REQUEST = 271828
LARGE_RESPONSE = 314159
REQUEST_SIZES = (27182, 8, 1828, 45904)
RESPONSE_SIZES = (31415, 9, 2653, 58979)

# The server sends back what comes under the first in its initial metadata, and under the
# second in its trailing metadata.
ECHO_INITIAL = "x-grpc-test-echo-initial"
ECHO_TRAILING = "x-grpc-test-echo-trailing-bin"


def payload(size: int) -> Any:
    """A payload of zeros."""
    return pb2.Payload(type=pb2.COMPRESSABLE, body=bytes(size))


def output_request(*sizes: int, request_size: int | None = None, **fields: Any) -> Any:
    """A request for a response of each of `sizes`."""
    if request_size is not None:
        fields["payload"] = payload(request_size)
    return pb2.StreamingOutputCallRequest(
        response_parameters=[pb2.ResponseParameters(size=size) for size in sizes], **fields
    )


def expect_body(response: Any, size: int) -> None:
    """Checks that the response's payload is as many zeros."""
    assert response.payload.type == pb2.COMPRESSABLE
    assert response.payload.body == bytes(size)
