# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Many calls, some cancelled, some late: nothing is left of them."""

from __future__ import annotations

import pytest
from support import run_program

pytestmark = [pytest.mark.uvgrpc_only, pytest.mark.slow]

_PROGRAM = """
from support import no_residents, open_files, resident_bytes

CALLS, AT_ONCE = 10_000, 100
counts = {}

async def handler(request, context):
    if request == b"slow":
        await asyncio.sleep(30)
    return request

async def one(method, i):
    if i % 100 == 50:
        call = method(b"slow")
        await asyncio.sleep(0.001 * (i % 7))
        call.cancel()
    elif i % 100 == 99:
        call = method(b"slow", timeout=0.005)
    else:
        call = method(b"x" * (i % 1000))
    code = (await call.code()).name
    counts[code] = counts.get(code, 0) + 1

async def batch(method, first):
    await asyncio.gather(*(one(method, first + i) for i in range(AT_ONCE)))

async def main():
    memory = {}
    async with serving(service(Method=handler)) as running:
        async with aio.insecure_channel(running.target) as channel:
            method = channel.unary_unary("/test.Service/Method")
            await method(b"")
            files = open_files()
            for first in range(0, CALLS, AT_ONCE):
                await batch(method, first)
                if (first + AT_ONCE) % (CALLS // 2) == 0:
                    gc.collect()
                    memory[first + AT_ONCE] = resident_bytes()
            assert open_files() == files, (open_files(), files)
            assert len(asyncio.all_tasks()) == 1 or await settled()
    await no_residents()
    assert counts == {
        "OK": CALLS * 98 // 100, "CANCELLED": CALLS // 100, "DEADLINE_EXCEEDED": CALLS // 100
    }, counts
    native = asyncio.get_running_loop()._uvgrpc_loop
    return native, memory[CALLS] - memory[CALLS // 2]

async def settled():
    for _ in range(500):
        if len(asyncio.all_tasks()) == 1:
            return True
        await asyncio.sleep(0.01)
    return False

native, growth = uvloop.run(main())
assert native.handle_count == 0, native.describe_handles()
print(growth)
"""


def test_ten_thousand_calls_leave_nothing() -> None:
    assert run_program(_PROGRAM).result < 2_000_000
