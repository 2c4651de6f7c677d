# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Who brings hundreds of calls at once does not have all of them begin before another's one."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

import pytest
from peers import frames
from support import aio, run, service, serving

pytestmark = pytest.mark.uvgrpc_only

MANY = 600
# What may begin before the other's call, which takes three turns of a loop that has its client, too; in
# one line it was 240 to 391 of 400.
BEFORE = 250


def _spin(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


@pytest.mark.parametrize("suspends", [False, True])
def test_a_call_does_not_stand_behind_hundreds_of_another_connection(suspends: bool) -> None:
    begun: list[bytes] = []

    async def answer(request: bytes, context: Any) -> bytes:
        begun.append(request)
        # A handler that works: all of them are 60 ms.
        _spin(1e-4)
        if suspends:
            await asyncio.sleep(0)
        return request

    async def main() -> None:
        async with (
            serving(service(Method=answer)) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            call = channel.unary_unary("/test.Service/Method")
            await call(b"warm")
            block = frames.headers("/test.Service/Method")
            for _ in range(5):
                busy = await frames.Connection.open(int(running.target.rsplit(":", 1)[1]))
                begun.clear()
                streams = range(1, 2 * MANY, 2)
                busy.writer.write(b"".join(frames.request(stream, block, b"busy") for stream in streams))
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

    run(main(), limit=20)
