# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""One busy connection does not keep the others waiting."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from support import aio, environment, run

pytestmark = [pytest.mark.uvgrpc_only, pytest.mark.slow, pytest.mark.alone]

# The goal on an idle machine is 5 ms for 99 in 100; this is what may be asked where three
# processes share two cores with whatever else there is.
_GOAL_MS = float(os.environ.get("UVGRPC_TEST_FAIR_MS", "20"))


async def _echo(request: bytes, context: Any) -> bytes:
    return request


async def _flood(request: bytes, context: Any) -> AsyncIterator[bytes]:
    while True:
        yield bytes(64)


async def _swallow(requests: Any, context: Any) -> bytes:
    async for _request in requests:
        pass
    return b""


async def _probe(target: str, seconds: float, kind: str, calls: int) -> Any:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "peers.probe", target, str(seconds), kind, str(calls)),
        stdout=asyncio.subprocess.PIPE,
        env=environment(),
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    return process


async def _turns(lengths: list[float]) -> None:
    """CPU times of the loop's turns in milliseconds."""
    while True:
        started = time.thread_time()
        await asyncio.sleep(0)
        lengths.append(1e3 * (time.thread_time() - started))


@pytest.mark.parametrize(
    ("kind", "calls"),
    [
        ("frames", 5000),
        ("unary", 5000),
        ("stream", 50),
        ("upload", 20),
    ],
)
def test_a_second_connection_is_answered_soon(kind: str, calls: int) -> None:
    async def main() -> None:
        server = aio.server(options=(("grpc.max_receive_message_length", -1),))
        methods = {
            "M": grpc.unary_unary_rpc_method_handler(_echo),
            "S": grpc.unary_stream_rpc_method_handler(_flood),
            "U": grpc.stream_unary_rpc_method_handler(_swallow),
        }
        server.add_registered_method_handlers("t", methods)
        target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        await server.start()
        load = await _probe(target, 4, kind, calls)
        await asyncio.sleep(1)
        lengths: list[float] = []
        sampler = asyncio.ensure_future(_turns(lengths))
        probe = await _probe(target, 2, "latency", 1)
        found = json.loads((await probe.communicate())[0])
        sampler.cancel()
        rate = (await load.communicate())[0].decode().strip()
        await server.stop(None)
        print(kind, rate, found, "longest turns", sorted(lengths)[-5:])
        assert found["p90"] <= _GOAL_MS, (found, sorted(lengths)[-5:])

    run(main(), limit=60)
