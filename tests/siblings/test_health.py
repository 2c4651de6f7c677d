# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""grpcio-health-checking: check, watch and set, with its async and its sync servicer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from library import SERVICE, calling, code_of, serving
from support import error_of, run, until

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


def _request(service: str = SERVICE) -> Any:
    return health_pb2.HealthCheckRequest(service=service)


@contextlib.asynccontextmanager
async def _health(servicer: Any, **options: Any) -> AsyncIterator[Any]:
    """A stub of the health service that `servicer` gives."""
    async with calling(
        lambda server: health_pb2_grpc.add_HealthServicer_to_server(servicer, server), **options
    ) as channel:
        yield health_pb2_grpc.HealthStub(channel)


def test_check_tells_what_was_set() -> None:
    async def main() -> None:
        servicer = health.aio.HealthServicer()
        async with _health(servicer) as stub:
            assert (await stub.Check(_request(""))).status == SERVING
            assert (await error_of(stub.Check(_request()))).code() is grpc.StatusCode.NOT_FOUND
            for status in (SERVING, NOT_SERVING):
                await servicer.set(SERVICE, status)
                assert (await stub.Check(_request())).status == status

    run(main())


def test_watch_streams_every_change() -> None:
    async def main() -> None:
        servicer = health.aio.HealthServicer()
        async with _health(servicer) as stub:
            watches = [stub.Watch(_request()) for _ in range(3)]
            for watch in watches:
                assert (await watch.read()).status == SERVICE_UNKNOWN
            for status in (SERVING, NOT_SERVING, SERVING):
                await servicer.set(SERVICE, status)
                for watch in watches:
                    assert (await watch.read()).status == status
            await servicer.enter_graceful_shutdown()
            await servicer.set(SERVICE, SERVING)
            for watch in watches:
                assert (await watch.read()).status == NOT_SERVING
                watch.cancel()

    run(main())


def test_a_watcher_that_goes_is_forgotten() -> None:
    async def main() -> None:
        servicer = health.aio.HealthServicer()
        async with _health(servicer) as stub:
            stays = stub.Watch(_request())
            goes = stub.Watch(_request())
            for watch in (stays, goes):
                assert (await watch.read()).status == SERVICE_UNKNOWN
            assert servicer._watcher_count_by_service[SERVICE] == 2
            assert goes.cancel()
            await until(lambda: servicer._watcher_count_by_service[SERVICE] == 1)
            await servicer.set(SERVICE, SERVING)
            assert (await stays.read()).status == SERVING
            stays.cancel()
            await until(lambda: not servicer._server_watchers)

    run(main())


def test_a_watch_ends_with_its_server() -> None:
    async def main() -> None:
        def register(server: Any) -> None:
            health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)

        async with contextlib.AsyncExitStack() as server:
            target = await server.enter_async_context(serving(register))
            async with grpc.aio.insecure_channel(target) as channel:
                watch = health_pb2_grpc.HealthStub(channel).Watch(_request())
                assert (await watch.read()).status == SERVICE_UNKNOWN
                reading = asyncio.ensure_future(watch.read())
                await server.aclose()
                assert await code_of(reading) is grpc.StatusCode.UNAVAILABLE

    run(main())


def test_the_sync_servicer_on_an_async_server() -> None:
    async def main() -> None:
        with ThreadPoolExecutor(4) as pool:
            servicer = health.HealthServicer()
            async with _health(servicer, migration_thread_pool=pool) as stub:
                assert (await error_of(stub.Check(_request()))).code() is grpc.StatusCode.NOT_FOUND
                await asyncio.to_thread(servicer.set, SERVICE, NOT_SERVING)
                assert (await stub.Check(_request())).status == NOT_SERVING

    run(main())
