# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""A server that the program lets go of while it runs."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import grpc
import pytest
from support import aio, echo, error_of, no_residents, run, service

METHOD = "/test.Service/Method"

pytestmark = pytest.mark.uvgrpc_only  # stock's keeps serving: its tasks hold it


async def start(handler: Any) -> tuple[Any, int]:
    server = aio.server()
    server.add_generic_rpc_handlers([service(Method=handler)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return server, port


async def closed(port: int) -> None:
    """Waits until nothing listens on `port`."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            return
        except ConnectionResetError:  # closed just now, with this one in its backlog
            continue
        writer.close()
        await writer.wait_closed()
        gc.collect()
        await asyncio.sleep(0.01)


def test_an_idle_one_is_collected_and_its_port_closed() -> None:
    async def main() -> None:
        server, port = await start(echo)
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            assert await channel.unary_unary(METHOD)(b"x") == b"x"
            gone = weakref.ref(server)
            del server
            gc.collect()
            assert gone() is None
            await closed(port)
            error = await error_of(channel.unary_unary(METHOD)(b"x"))
            assert error.code() is grpc.StatusCode.UNAVAILABLE
        await no_residents()

    run(main())


def test_one_with_a_call_under_way_goes_when_the_call_is_over() -> None:
    entered = asyncio.Event()
    release = asyncio.Event()

    async def handler(request: bytes, context: Any) -> bytes:
        entered.set()
        await release.wait()
        return request

    async def main() -> None:
        server, port = await start(handler)
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            # Large: it takes more than one turn of the loop to send the reply.
            call = channel.unary_unary(METHOD)(bytes(3_000_000))
            await entered.wait()
            del server
            gc.collect()
            # The RPC holds what serves it.
            release.set()
            assert await call == bytes(3_000_000)
            await closed(port)
        await no_residents()

    run(main())


def test_one_that_was_never_started_leaves_nothing() -> None:
    async def main() -> None:
        server = aio.server()
        port = server.add_insecure_port("127.0.0.1:0")
        del server
        gc.collect()
        await closed(port)
        await no_residents()

    run(main())
