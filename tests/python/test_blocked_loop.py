# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""A loop that is blocked, with keepalive on either side."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

import pytest
from hostile.server import attacked
from support import aio, echo, environment, run, service, serving

pytestmark = pytest.mark.uvgrpc_only

# A ping each 0.3 s, to be answered within 0.3 s.
KEEPALIVE = [
    ("grpc.keepalive_time_ms", 300),
    ("grpc.keepalive_timeout_ms", 300),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
]
PERMISSIVE = [
    ("grpc.http2.min_ping_interval_without_data_ms", 50),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 50),
    ("grpc.http2.max_ping_strikes", 0),
]


def test_pings_are_answered_before_deadlines_are_judged() -> None:
    """A callback of a socket blocks each turn, so that timers come between it and the next poll."""

    async def main() -> None:
        with attacked(options=PERMISSIVE, environ=environment()) as target:
            async with aio.insecure_channel(f"127.0.0.1:{target.port}", KEEPALIVE) as channel:
                call = channel.stream_unary("/t/Upload")()
                await call.write(b"x")
                await asyncio.sleep(0.1)
                loop = asyncio.get_running_loop()
                ours, theirs = socket.socketpair()
                with ours, theirs:
                    blocked = 0

                    def block() -> None:
                        nonlocal blocked
                        blocked += 1
                        # Never read: the next turn is blocked as well.
                        time.sleep(0.4)

                    loop.add_reader(ours, block)
                    theirs.send(b"x")
                    while blocked < 8:  # noqa: ASYNC110 - that it turns is the point
                        await asyncio.sleep(0)
                    loop.remove_reader(ours)
                await call.done_writing()
                assert await call == b"1"

    run(main(), limit=60)


@pytest.mark.parametrize("seconds", [0.1, 1.0])
@pytest.mark.parametrize("side", ["client", "server"])
def test_a_blocked_side_does_not_end_its_own_connection(side: str, seconds: float) -> None:
    """Both loops are one here, so that neither can be blamed."""

    async def main() -> None:
        keepalive = {"client": KEEPALIVE, "server": []}[side]
        options = PERMISSIVE + ([] if side == "client" else KEEPALIVE)
        async with (
            serving(service(Method=echo), options=options) as running,
            aio.insecure_channel(running.target, keepalive) as channel,
        ):
            method = channel.unary_unary("/test.Service/Method")
            calls: list[Any] = []
            for _ in range(3):
                calls.append(method(b"x", timeout=30))
                await asyncio.sleep(0.2)
                time.sleep(seconds)  # noqa: ASYNC251 - what is tested
            assert await asyncio.gather(*calls) == [b"x"] * 3

    run(main(), limit=60)
