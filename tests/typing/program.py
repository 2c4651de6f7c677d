# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""A program as a user of mypy --strict would write it. Checked, not run."""

from __future__ import annotations

import asyncio
from typing import assert_type

import grpc
import grpc.aio

import uvgrpc
from uvgrpc import aio


async def handler(request: bytes, context: aio.ServicerContext[bytes, bytes]) -> bytes:
    context.set_trailing_metadata((("key", "value"),))
    if not request:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no request")
    return request


async def serve() -> int:
    server = aio.server(maximum_concurrent_rpcs=10, options=[("grpc.so_reuseport", 0)])
    server.add_registered_method_handlers(
        "test.Service", {"Method": grpc.unary_unary_rpc_method_handler(handler)}
    )
    port = server.add_insecure_port("127.0.0.1:0")
    assert_type(port, int)
    assert_type(uvgrpc.is_active(server), bool)
    await server.start()
    await server.stop(grace=5)
    assert_type(await server.wait_for_termination(timeout=1), bool)
    return port


async def call(target: str) -> str:
    async with aio.insecure_channel(target, compression=grpc.Compression.Gzip) as channel:
        assert_type(channel.get_state(try_to_connect=True), grpc.ChannelConnectivity)
        await channel.channel_ready()
        method = channel.unary_unary("/test.Service/Method", str.encode, bytes.decode)
        running = method("request", timeout=1.5, metadata=(("key", b"value"),), wait_for_ready=True)
        try:
            response: str = await running
        except grpc.aio.AioRpcError as error:
            return str(error.details())
        assert_type(await running.code(), grpc.StatusCode)
        assert_type(await running.details(), str)
        assert_type(await running.initial_metadata(), grpc.aio.Metadata)
        assert_type(running.cancel(), bool)
        assert_type(running.time_remaining(), float | None)
        running.add_done_callback(lambda done: print(done))
        return response


def accepts_stock(channel: grpc.aio.Channel, server: grpc.aio.Server) -> None:
    """What is typed for grpc.aio takes uvgrpc's objects."""


async def main() -> None:
    accepts_stock(aio.insecure_channel("127.0.0.1:1"), aio.server())
    stats = uvgrpc.loop_stats()
    assert_type(stats, uvgrpc.LoopStats)
    assert_type(stats.handles, int)
    port, text = await asyncio.gather(serve(), call("127.0.0.1:1"))
    assert_type((port, text), tuple[int, str])


uvgrpc.install(strict=True)
assert_type(uvgrpc.is_installed(), bool)
uvgrpc.uninstall()
