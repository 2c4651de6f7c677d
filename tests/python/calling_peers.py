# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Channels to a service that is served here, and to the same on grpc.aio."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from peers.service import Service
from support import aio, serving


@pytest.fixture(params=["own", "stock"])
def peer(
    request: pytest.FixtureRequest, stock_port: int
) -> Callable[..., contextlib.AbstractAsyncContextManager[Any]]:
    """Gives a channel to peer.Service, served here or by grpc.aio in another process."""

    @contextlib.asynccontextmanager
    async def connect(**options: Any) -> AsyncIterator[Any]:
        if request.param == "stock":
            async with aio.insecure_channel(f"127.0.0.1:{stock_port}", **options) as channel:
                yield channel
            return
        async with (
            serving(Service().handler()) as running,
            aio.insecure_channel(running.target, **options) as channel,
        ):
            yield channel

    return connect


def method(channel: Any, name: str) -> Any:
    return channel.unary_unary(f"/peer.Service/{name}")
