# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""gRPC's retries on one thread."""

from __future__ import annotations

import asyncio
import time

import grpc
from support import echo, in_time, run, service, serving

from uvgrpc import aio


def test_calls_that_wait_for_a_dead_connection_end_with_it() -> None:
    """They never reached the wire, so gRPC tries them again at once: cmake/core/patches.py."""

    async def hang(request: bytes, context: object) -> bytes:
        await asyncio.Event().wait()
        return b""

    async def main() -> None:
        one_at_a_time = (("grpc.max_concurrent_streams", 1),)
        async with (
            serving(service(Method=hang), options=one_at_a_time) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            await channel.channel_ready()
            method = channel.unary_unary("/test.Service/Method")
            calls = [method(b"", timeout=20) for _ in range(5)]
            await asyncio.sleep(0.1)
            started = time.monotonic()
            await running.server.stop(None)
            codes = {await call.code() for call in calls}
            in_time(started, 5)
            assert codes == {grpc.StatusCode.UNAVAILABLE}

    run(main())


def test_a_service_config_retries_what_it_names() -> None:
    attempts = 0

    async def second_time_lucky(request: bytes, context: aio.ServicerContext) -> bytes:
        nonlocal attempts
        attempts += 1
        if attempts < 2:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")
        return await echo(request, context)

    config = """{"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": 3,
        "initialBackoff": "0.01s", "maxBackoff": "0.1s", "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"]}}]}"""

    async def main() -> None:
        async with (
            serving(service(Method=second_time_lucky)) as running,
            aio.insecure_channel(running.target, options=(("grpc.service_config", config),)) as channel,
        ):
            assert await channel.unary_unary("/test.Service/Method")(b"x") == b"x"
            assert attempts == 2

    run(main())
