# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Who brings hundreds of calls at once does not have all of them begin before another's one."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

import grpc
import pytest
from peers import frames
from support import aio, run

pytestmark = pytest.mark.uvgrpc_only

MANY = 400
# What may begin before the other's call: the few that are in the same turn, and as many in turn
# with it.
BEFORE = 100


def _spin(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


@pytest.mark.parametrize("suspends", [False, True])
@pytest.mark.parametrize("registered", [False, True])
def test_a_call_does_not_stand_behind_hundreds_of_another_connection(
    suspends: bool, registered: bool
) -> None:
    begun: list[bytes] = []

    async def answer(request: bytes, context: Any) -> bytes:
        begun.append(request)
        # A handler that works: 400 of them are 40 ms.
        _spin(1e-4)
        if suspends:
            await asyncio.sleep(0)
        return request

    async def main() -> None:
        server = aio.server()
        methods = {"M": grpc.unary_unary_rpc_method_handler(answer)}
        if registered:
            server.add_registered_method_handlers("t", methods)
        else:
            server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("t", methods)])
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = channel.unary_unary("/t/M")
            await call(b"warm")
            for _ in range(5):
                busy = await frames.Connection.open(port)
                block = frames.headers("/t/M")
                wanted = range(1, 2 * MANY, 2)
                calls = [frames.request(stream, block, b"busy") for stream in wanted]
                begun.clear()
                busy.writer.write(b"".join(calls))
                while len(begun) < 10:  # noqa: ASYNC110 - handlers begin when they begin
                    await asyncio.sleep(0)
                before = len(begun)
                assert await call(b"other") == b"other"
                assert begun.index(b"other") - before < BEFORE
                while begun.count(b"busy") < MANY:  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
                busy.writer.transport.abort()
                with contextlib.suppress(OSError):
                    await busy.writer.wait_closed()
        await server.stop(None)

    run(main(), limit=20)
