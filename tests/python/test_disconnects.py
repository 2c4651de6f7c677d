# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Clients that vanish in the middle of their calls (#31570, #31043, #24758)."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from support import aio, echo, environment, run, service, serving, until

CALLS = 100
ROUNDS = 10

# Has calls of two arities under way, says so, and waits for its end.
CLIENT = """
import asyncio, sys
import grpc.aio

async def main(target, count):
    channel = grpc.aio.insecure_channel(target)
    hanging = [channel.unary_unary("/test.Service/Hang")(b"x") for _ in range(count)]
    streams = [channel.unary_stream("/test.Service/Flood")(b"x") for _ in range(count)]
    for call in streams:
        await call.read()
    print("ready", flush=True)
    await asyncio.sleep(3600)

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


@pytest.mark.uvgrpc_only
@pytest.mark.slow
def test_a_thousand_calls_whose_clients_are_killed_leave_no_trace(caplog: pytest.LogCaptureFixture) -> None:
    running_handlers = 0
    cancelled = 0

    async def hang(request: bytes, context: Any) -> bytes:
        nonlocal running_handlers, cancelled
        running_handlers += 1
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled += context.cancelled()
            raise
        finally:
            running_handlers -= 1
        return b""

    async def flood(request: bytes, context: Any) -> AsyncIterator[bytes]:
        nonlocal running_handlers
        running_handlers += 1
        try:
            while True:
                yield bytes(10_000)
        finally:
            running_handlers -= 1

    async def main() -> None:
        generic = service(Hang=hang, Flood=grpc.unary_stream_rpc_method_handler(flood), Method=echo)
        async with serving(generic) as running, aio.insecure_channel(running.target) as channel:
            for _ in range(ROUNDS):
                client = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-c", CLIENT, running.target, str(CALLS // 2)),
                    stdout=asyncio.subprocess.PIPE,
                    env=environment(),
                )
                assert client.stdout is not None
                assert await client.stdout.readline() == b"ready\n"
                await until(lambda: running_handlers == CALLS)
                os.kill(client.pid, signal.SIGKILL)
                await client.wait()
                await until(lambda: running_handlers == 0)
                # It serves on.
                assert await channel.unary_unary("/test.Service/Method")(b"x") == b"x"

    run(main(), limit=90)
    assert cancelled == ROUNDS * CALLS // 2
    assert [
        record.getMessage() for record in caplog.records if record.levelname in ("WARNING", "ERROR")
    ] == []
