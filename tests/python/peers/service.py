# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""A service whose methods do what their request says; for any server of grpc.aio's API."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import grpc


class Service:
    """peer.Service: messages are bytes, mostly JSON.

    Attributes:
      cancelled: how many handlers of Hang were cancelled.
    """

    def __init__(self) -> None:
        self.cancelled = 0

    async def Echo(self, request: bytes, context: Any) -> bytes:
        return request

    async def Metadata(self, request: bytes, context: Any) -> bytes:
        """Sends the metadata whose key begins with x- back, first and last."""
        pairs = tuple((key, value) for key, value in context.invocation_metadata() if key.startswith("x-"))
        await context.send_initial_metadata(pairs)
        context.set_trailing_metadata(pairs)
        return json.dumps([[key, _text(value)] for key, value in pairs]).encode()

    async def Sleep(self, request: bytes, context: Any) -> bytes:
        """Sleeps for the seconds in the request."""
        await asyncio.sleep(float(request))
        return request

    async def Hang(self, request: bytes, context: Any) -> bytes:
        """Never answers."""
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return b""

    async def Cancelled(self, request: bytes, context: Any) -> bytes:
        return str(self.cancelled).encode()

    async def Status(self, request: bytes, context: Any) -> bytes:
        """Answers with a status: {"code": ..., "details": ...}."""
        wanted = json.loads(request)
        context.set_code(grpc.StatusCode[wanted["code"]])
        context.set_details(wanted["details"])
        context.set_trailing_metadata((("x-trailing", "yes"),))
        return b"message"

    async def Abort(self, request: bytes, context: Any) -> bytes:
        """Aborts with a status: {"code": ..., "details": ...}."""
        wanted = json.loads(request)
        await context.abort(grpc.StatusCode[wanted["code"]], wanted["details"], (("x-trailing", "abort"),))
        raise AssertionError("abort() returned")

    async def Raise(self, request: bytes, context: Any) -> bytes:
        raise ValueError(request.decode())

    async def Big(self, request: bytes, context: Any) -> bytes:
        """Answers with as many bytes as the request says."""
        return bytes(int(request))

    async def Length(self, request: bytes, context: Any) -> bytes:
        return str(len(request)).encode()

    async def Deadline(self, request: bytes, context: Any) -> bytes:
        """Answers with the seconds that are left, or null."""
        return json.dumps(context.time_remaining()).encode()

    async def Peer(self, request: bytes, context: Any) -> bytes:
        return context.peer().encode()

    async def Auth(self, request: bytes, context: Any) -> bytes:
        """Answers with what the server knows of its peer."""
        identities = context.peer_identities()
        return json.dumps(
            {
                "identities": identities and [value.decode() for value in identities],
                "key": context.peer_identity_key(),
                "properties": {
                    key: [value.decode() for value in values]
                    for key, values in context.auth_context().items()
                },
            }
        ).encode()

    def handler(self) -> grpc.GenericRpcHandler:
        names = [name for name in dir(self) if name[0].isupper()]
        return grpc.method_handlers_generic_handler(
            "peer.Service",
            {name: grpc.unary_unary_rpc_method_handler(getattr(self, name)) for name in names},
        )


def _text(value: Any) -> Any:
    return list(value) if isinstance(value, bytes) else value
