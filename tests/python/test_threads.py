# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""One process, one thread."""

from __future__ import annotations

import pytest
from support import run_program

pytestmark = pytest.mark.uvgrpc_only

_PROGRAM = """
from support import thread_count

async def main():
    seen = [thread_count()]
    async with serving(service(Method=echo)) as running:
        async with aio.insecure_channel(f"{HOST}:{running.port}") as channel:
            method = channel.unary_unary("/test.Service/Method")
            for _ in range(10):
                await asyncio.gather(*(method(b"x") for _ in range(100)))
                seen.append(thread_count())
    seen.append(thread_count())
    return seen

seen = uvloop.run(main())
print(json.dumps([*seen, thread_count()]))
"""


def test_a_server_and_a_channel_and_1000_calls_run_on_one_thread() -> None:
    assert set(run_program('HOST = "127.0.0.1"\n' + _PROGRAM).result) == {1}


def test_a_hostname_adds_none() -> None:
    assert set(run_program('HOST = "localhost"\n' + _PROGRAM).result) == {1}


def test_sync_grpc_in_the_process_keeps_its_own_threads_away() -> None:
    """Importing and using uvgrpc starts none of stock grpcio's threads."""
    source = """
from support import thread_count
uvgrpc.install()
channel = grpc.aio.insecure_channel("127.0.0.1:1")
print(thread_count())
"""
    assert run_program(source).result == 1
