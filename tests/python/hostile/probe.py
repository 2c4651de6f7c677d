# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""A well-behaved client: python -m hostile.probe PORT SECONDS [ROOTS]. Prints what its calls took, as JSON.

A call every 2 ms on one connection; PORT is of hostile.server, ROOTS a file with what it trusts.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import grpc
import uvloop

import uvgrpc.aio

PERIOD = 0.002
WARM_UP = 100


def percentile(values: list[float], part: float) -> float:
    """Of a sorted list."""
    return values[min(len(values) - 1, int(len(values) * part))]


def summary(took: list[float]) -> dict[str, float]:
    """Of seconds, in milliseconds."""
    took = sorted(took)
    parts = {"p50": 0.5, "p99": 0.99, "p999": 0.999, "max": 1.0}
    return {"count": len(took), **{name: percentile(took, part) * 1e3 for name, part in parts.items()}}


async def probe(port: int, seconds: float, roots: bytes | None) -> dict[str, float]:
    """Calls at a steady pace; one that is late does not move the next."""
    if roots is None:
        channel = uvgrpc.aio.insecure_channel(f"127.0.0.1:{port}")
    else:
        channel = uvgrpc.aio.secure_channel(f"localhost:{port}", grpc.ssl_channel_credentials(roots))
    failed = 0
    took = []
    async with channel:
        echo = channel.unary_unary("/t/Echo")
        for _ in range(WARM_UP):
            await echo(b"x")

        async def one(due: float) -> None:
            nonlocal failed
            try:
                await echo(b"x", timeout=20)
            except grpc.aio.AioRpcError:
                failed += 1
            took.append(time.monotonic() - due)

        start = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for index in range(int(seconds / PERIOD)):
                due = start + index * PERIOD
                if (left := due - time.monotonic()) > 0:
                    await asyncio.sleep(left)
                # From when it was to be made: what a late probe waits, it waits for itself.
                group.create_task(one(time.monotonic()))
    return {**summary(took), "failed": failed}


if __name__ == "__main__":
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))  # its parent may be an attacker
    trusted = Path(sys.argv[3]).read_bytes() if len(sys.argv) > 3 else None
    print(json.dumps(uvloop.run(probe(int(sys.argv[1]), float(sys.argv[2]), trusted))))
