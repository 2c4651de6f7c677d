# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What is given up again and again, and what never repeats, costs no memory."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest
from support import aio, echo, resident_bytes, run, service, serving, unused_port

pytestmark = pytest.mark.uvgrpc_only


async def _hang(_requests: Any, _context: Any) -> None:
    await asyncio.sleep(3600)


async def given_up(wait: Callable[[], Awaitable[Any]]) -> None:
    task = asyncio.ensure_future(wait())
    await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def grows(step: Callable[[], Awaitable[None]], times: int) -> tuple[int, int]:
    """By how many objects, and bytes, `times` steps grow the process, after as many before."""
    for _ in range(times):
        await step()
    gc.collect()
    objects, size = len(gc.get_objects()), resident_bytes()
    for _ in range(times):
        await step()
    gc.collect()
    return len(gc.get_objects()) - objects, resident_bytes() - size


def test_wait_for_state_change_that_is_given_up() -> None:
    async def main() -> None:
        async with aio.insecure_channel(f"127.0.0.1:{unused_port()}") as channel:
            state = grpc.ChannelConnectivity.IDLE
            objects, size = await grows(lambda: given_up(lambda: channel.wait_for_state_change(state)), 3000)
            assert objects < 300
            assert size < 1_000_000

    run(main())


@pytest.mark.parametrize("wait", ["code", "initial_metadata", "trailing_metadata", "wait_for_connection"])
def test_a_call_that_is_asked_and_given_up(wait: str) -> None:
    async def main() -> None:
        async with aio.insecure_channel(f"127.0.0.1:{unused_port()}") as channel:
            call = channel.stream_stream("/test.Service/Hang")(wait_for_ready=True)
            objects, size = await grows(lambda: given_up(getattr(call, wait)), 3000)
            assert objects < 300
            assert size < 1_000_000
            call.cancel()

    run(main())


@pytest.mark.parametrize("wait", ["code", "initial_metadata"])
def test_a_call_that_is_asked_and_given_up_while_another_waits(wait: str) -> None:
    async def main() -> None:
        async with aio.insecure_channel(f"127.0.0.1:{unused_port()}") as channel:
            call = channel.stream_stream("/test.Service/Hang")(wait_for_ready=True)

            async def step() -> None:
                # The patient one comes last, and stays.
                task = asyncio.ensure_future(getattr(call, wait)())
                await asyncio.sleep(0)
                patient.append(asyncio.ensure_future(getattr(call, wait)()))
                await asyncio.sleep(0)
                task.cancel()
                patient.pop(0).cancel()
                await asyncio.sleep(0)

            patient = [asyncio.ensure_future(getattr(call, wait)())]
            objects, size = await grows(step, 2000)
            assert objects < 300
            assert size < 1_000_000
            call.cancel()
            await patient.pop()

    run(main())


@pytest.mark.parametrize("way", ["read", "iterate", "write"])
def test_streams_that_are_given_up(way: str) -> None:
    async def main() -> None:
        handlers = service(Hang=grpc.stream_stream_rpc_method_handler(_hang), Echo=echo)
        async with serving(handlers) as running, aio.insecure_channel(running.target) as channel:
            method = channel.stream_stream("/test.Service/Hang")

            async def step() -> None:
                call = method()
                if way == "read":
                    await given_up(call.read)
                elif way == "iterate":
                    await given_up(lambda: anext(aiter(call)))
                else:
                    await given_up(lambda: call.write(b"x"))

            # Its cancels have to have reached the server, too.
            objects, _ = await grows(step, 300)
            await asyncio.sleep(0.1)
            gc.collect()
            assert objects < 6000
            assert await channel.unary_unary("/test.Service/Echo")(b"x") == b"x"

    run(main())


def test_names_of_methods_that_do_not_repeat() -> None:
    async def main() -> None:
        async with serving(service(Echo=echo)) as running, aio.insecure_channel(running.target) as channel:
            count = iter(range(10**9))

            async def step() -> None:
                calls = [channel.unary_unary(f"/test.Service/Method{next(count)}")(b"x") for _ in range(100)]
                for call in calls:
                    assert await call.code() is grpc.StatusCode.UNIMPLEMENTED

            # 600 bytes each it would be.
            objects, size = await grows(step, 40)
            assert next(count) == 8_000
            assert objects < 1000
            assert size < 1_000_000

    run(main(), limit=120)
