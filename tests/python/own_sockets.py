# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Sockets that a test has bound, and servers on them."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import grpc
from support import LIMIT, echo

import uvgrpc

UU = "/test.Service/UU"


def server_of(handler: Any = echo, **options: Any) -> Any:
    server = uvgrpc.server(**options)
    server.add_registered_method_handlers(
        "test.Service", {"UU": grpc.unary_unary_rpc_method_handler(handler)}
    )
    return server


def bound(
    family: int = socket.AF_INET, address: Any = ("127.0.0.1", 0), listen: bool = False
) -> socket.socket:
    own = socket.socket(family)
    own.bind(address)
    if listen:
        own.listen()
    return own


@contextlib.asynccontextmanager
async def serving(own: socket.socket, credentials: Any = None, handler: Any = echo) -> AsyncIterator[int]:
    server = server_of(handler, grace=None)
    port = server.add_socket(own, credentials)
    async with server:
        yield port


async def answers(target: str, credentials: Any = None) -> bool:
    channel = uvgrpc.secure_channel(target, credentials) if credentials else uvgrpc.insecure_channel(target)
    async with channel:
        return bool(await channel.unary_unary(UU)(b"x", timeout=LIMIT) == b"x")


async def answers_itself() -> None:
    with bound() as own:
        async with serving(own) as port:
            assert await answers(f"127.0.0.1:{port}")
