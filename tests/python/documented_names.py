# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What fragments of code in the documentation take for granted: imports, and a service.

The generated modules are in the folder that a page's blocks run in. See documented.py.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import grpc
import helloworld_pb2
import pytest
import uvloop
from google.rpc import error_details_pb2
from helloworld_pb2 import HelloReply, HelloRequest
from helloworld_uvgrpc import GreeterServicer, GreeterStub

import uvgrpc


class Greeter(GreeterServicer):
    """A service that all pages mean."""

    async def Hi(self, request: Any, context: Any) -> Any:
        return HelloReply(message=f"Hi {request.name}")

    async def SayHello(self, request: Any, context: Any) -> Any:
        return HelloReply(message=f"Hello, {request.name}!")

    async def StreamingHi(self, context: Any) -> None:
        async for request in context:
            await context.send(HelloReply(message=f"Hi {request.name}"))

    Chat = StreamingHi

    async def Subscribe(self, request: Any, context: Any) -> Any:
        for _ in range(2):
            yield HelloReply(message=f"Hi {request.name}")

    async def Upload(self, requests: Any, context: Any) -> Any:
        return HelloReply(message=" ".join([request.name async for request in requests]))


class Other:
    """Another one."""

    __uvgrpc_service__ = uvgrpc.Service(
        "documented.Other", {"Any": uvgrpc.Method("Any", False, False, None, None, None, None)}
    )

    async def Any(self, request: bytes, context: object) -> bytes:
        return request


__all__ = (
    "Greeter",
    "GreeterServicer",
    "GreeterStub",
    "HelloReply",
    "HelloRequest",
    "Other",
    "asyncio",
    "error_details_pb2",
    "grpc",
    "helloworld_pb2",
    "json",
    "pytest",
    "uvgrpc",
    "uvloop",
)
