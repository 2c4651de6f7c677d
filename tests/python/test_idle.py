# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""A process that has nothing to do does nothing."""

from __future__ import annotations

import pytest
from support import run_program

pytestmark = pytest.mark.uvgrpc_only

_PROGRAM = """
from support import HERE

async def main():
    async with serving(service(Method=echo)) as running:
        async with aio.insecure_channel(running.target) as channel:
            assert await channel.unary_unary("/test.Service/Method")(b"x") == b"x"
            # What the call left to do: settings, acknowledgements.
            await asyncio.sleep(0.3)
            wakeups, cpu = uvgrpc.loop_stats().wakeups, time.process_time()
            await asyncio.sleep(3)
            print(json.dumps([uvgrpc.loop_stats().wakeups - wakeups, time.process_time() - cpu]))

uvloop.run(main())
"""


def test_an_idle_server_and_channel_with_a_connection_sleep() -> None:
    wakeups, seconds = run_program(_PROGRAM).result
    assert wakeups <= 1
    assert seconds < 0.01


_BACKOFF = """
from support import unused_port

async def main():
    async with aio.insecure_channel(f"127.0.0.1:{unused_port()}") as channel:
        assert await channel.unary_unary("/a/A")(b"").code() is grpc.StatusCode.UNAVAILABLE
        waiting = channel.unary_unary("/a/A")(b"", wait_for_ready=True)
        await asyncio.sleep(0.1)
        wakeups, cpu = uvgrpc.loop_stats().wakeups, time.process_time()
        await asyncio.sleep(2)
        print(json.dumps([uvgrpc.loop_stats().wakeups - wakeups, time.process_time() - cpu]))
        waiting.cancel()

uvloop.run(main())
"""


def test_a_channel_that_cannot_connect_does_not_spin() -> None:
    wakeups, seconds = run_program(_BACKOFF).result
    # Attempts come after about 1, 1.6, ... seconds; each takes a few callbacks.
    assert wakeups < 30
    assert seconds < 0.05
