# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""A process that has nothing to do does nothing."""

from __future__ import annotations

import pytest
from support import run_program

pytestmark = pytest.mark.uvgrpc_only

_PROGRAM = """
import resource
from support import HERE

def sleeps():
    # Each time that the process goes to sleep counts as one voluntary switch.
    return resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw

async def main():
    async with serving(service(Method=echo)) as running:
        async with aio.insecure_channel(running.target) as channel:
            assert await channel.unary_unary("/test.Service/Method")(b"x") == b"x"
            # What the call left to do: settings, acknowledgements.
            await asyncio.sleep(0.3)
            before = uvgrpc.loop_stats().wakeups, sleeps(), time.process_time()
            await asyncio.sleep(3)
            after = uvgrpc.loop_stats().wakeups, sleeps(), time.process_time()
            print(json.dumps([new - old for old, new in zip(before, after)]))

uvloop.run(main())
"""


def test_an_idle_server_and_channel_with_a_connection_sleep() -> None:
    wakeups, slept, seconds = run_program(_PROGRAM).result
    assert wakeups <= 1
    # asyncio's timer; a page may be missing. A poller wakes at least ten times a second.
    assert slept <= 10
    # A loop that polls without sleeping takes three. A virtual machine books up to
    # 25 ms on a process that sleeps: time.sleep(3) alone shows 5.
    assert seconds < 0.5


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
    assert seconds < 0.5
