# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Calls that end before their time, on this side."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import Any

import grpc
import pytest
from calling_peers import method
from calling_peers import peer as peer
from support import calling, error_of, run, until


def test_cancel_ends_the_call_once(peer: Any) -> None:
    async def main() -> None:
        async with peer() as channel:
            call = method(channel, "Hang")(b"")
            await channel.channel_ready()
            assert call.cancel() is True
            assert call.cancel() is False
            with pytest.raises(asyncio.CancelledError):
                await call
            assert call.cancelled()
            assert call.done()
            assert await call.code() is grpc.StatusCode.CANCELLED
            assert await call.details() == "Locally cancelled by application!"
            assert tuple(await call.initial_metadata()) == ()
            assert tuple(await call.trailing_metadata()) == ()

    run(main())


def test_cancel_reaches_the_server(peer: Any) -> None:
    async def main() -> None:
        async with peer() as channel:
            before = int(await method(channel, "Cancelled")(b""))
            calls = [method(channel, "Hang")(b"") for _ in range(5)]
            # Answered after the calls before it have arrived.
            await method(channel, "Sleep")(b"0.05")
            for call in calls:
                call.cancel()
            deadline = time.monotonic() + 10
            while int(await method(channel, "Cancelled")(b"")) < before + 5:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.01)

    run(main())


def test_cancel_in_the_turn_of_the_call_sends_nothing() -> None:
    async def main() -> None:
        seen: list[bytes] = []

        async def handler(request: bytes, context: Any) -> bytes:
            seen.append(request)
            return request

        async with calling(handler) as call:
            assert await call(b"1") == b"1"
            stillborn = call(b"2")
            assert stillborn.cancel()
            with pytest.raises(asyncio.CancelledError):
                await stillborn
            assert await call(b"3") == b"3"
            assert seen == [b"1", b"3"]

    run(main())


def test_cancel_after_the_end_changes_nothing(peer: Any) -> None:
    async def main() -> None:
        async with peer() as channel:
            call = method(channel, "Echo")(b"x")
            assert await call == b"x"
            assert call.cancel() is False
            assert not call.cancelled()
            assert await call == b"x"
            assert await call.code() is grpc.StatusCode.OK

    run(main())


def test_cancelling_the_task_that_awaits_cancels_the_call(peer: Any) -> None:
    async def main() -> None:
        async with peer() as channel:
            before = int(await method(channel, "Cancelled")(b""))
            call = method(channel, "Hang")(b"")

            async def wait() -> None:
                await call

            task = asyncio.create_task(wait())
            await method(channel, "Sleep")(b"0.05")
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert call.cancelled()
            assert await call.code() is grpc.StatusCode.CANCELLED
            deadline = time.monotonic() + 10
            while int(await method(channel, "Cancelled")(b"")) < before + 1:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.01)

    run(main())


@pytest.mark.stock_defect("the message of task.cancel() is lost (#43502)")
def test_the_message_of_task_cancel_is_kept() -> None:
    async def main() -> None:
        async def hang(request: bytes, context: Any) -> bytes:
            await asyncio.Event().wait()
            return b""

        async with calling(hang) as call:

            async def wait() -> None:
                await call(b"")

            task = asyncio.create_task(wait())
            await asyncio.sleep(0.02)
            task.cancel("why")
            with pytest.raises(asyncio.CancelledError) as caught:
                await task
            assert caught.value.args == ("why",)

    run(main())


def test_cancelling_a_wait_for_an_accessor_does_not_cancel_the_call(peer: Any) -> None:
    async def main() -> None:
        async with peer() as channel:
            call = method(channel, "Sleep")(b"0.1")
            waiter = asyncio.create_task(call.code())
            await asyncio.sleep(0.01)
            waiter.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiter
            assert await call == b"0.1"

    run(main())


def test_wait_for_cancels_the_call(peer: Any) -> None:
    async def main() -> None:
        async with peer() as channel:
            call = method(channel, "Hang")(b"")
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(call, 0.1)
            assert call.cancelled()

    run(main())


def test_a_cancelled_status_from_the_server_is_an_rpc_error(peer: Any) -> None:
    async def main() -> None:
        async with peer() as channel:
            call = method(channel, "Status")(b'{"code": "CANCELLED", "details": "remote"}')
            error = await error_of(call)
            assert error.code() is grpc.StatusCode.CANCELLED
            assert error.details() == "remote"
            assert call.cancelled()

    run(main())


@pytest.mark.stock_defect("a dropped call is never cancelled since 1.83 (#43462)")
def test_a_dropped_call_cancels_itself() -> None:
    async def main() -> None:
        events: dict[str, float] = {}

        async def handler(request: bytes, context: Any) -> bytes:
            events["entered"] = time.monotonic()
            try:
                await asyncio.Event().wait()
            finally:
                events["left"] = time.monotonic()
            return b""

        async with calling(handler) as method:
            call = method(b"")
            await until(lambda: "entered" in events)
            dropped = time.monotonic()
            del call
            gc.collect()
            await until(lambda: "left" in events, 3)
            assert events["left"] - dropped < 2

    run(main())
