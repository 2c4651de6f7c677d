# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Closing a channel, with and without grace, and what it refuses afterwards."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import grpc
import pytest
from rig import ARITIES, Gate, Hang, arities, before_each, echo_of, looped, result_of, us, wired
from support import aio, in_time

State = grpc.ChannelConnectivity


@arities
@looped
async def test_a_closed_channel_refuses_calls_of_methods_made_before_and_after(arity: str) -> None:
    async with wired(echo_of(arity)) as wire:
        before = wire.method()
        await wire.channel.close()
        for method in (before, wire.method()):
            with pytest.raises(aio.UsageError, match=r"^Channel is closed\.$"):
                method(iter(()) if arity.startswith("stream") else b"")


@looped
async def test_a_closed_channel_is_shut_down() -> None:
    channel = aio.insecure_channel("127.0.0.1:1")
    await channel.close()
    assert channel.get_state() is State.SHUTDOWN
    assert channel.get_state(try_to_connect=True) is State.SHUTDOWN
    with pytest.raises(aio.UsageError, match=r"^Channel is closed\.$"):
        await channel.wait_for_state_change(State.IDLE)
    with pytest.raises(aio.UsageError, match=r"^Channel is closed\.$"):
        await channel.channel_ready()


@looped
async def test_close_is_idempotent() -> None:
    async with aio.insecure_channel("127.0.0.1:1") as channel:
        await channel.close()
        await channel.close(1)
        await channel.close(-1)


@looped
async def test_leaving_the_block_closes_the_channel_whatever_happened() -> None:
    with pytest.raises(LookupError):
        async with aio.insecure_channel("127.0.0.1:1") as channel:
            raise LookupError
    assert channel.get_state() is State.SHUTDOWN


@looped
async def test_a_negative_grace_is_a_value_error_and_closes_nothing() -> None:
    async with wired(echo_of("unary_unary")) as wire:
        with pytest.raises(ValueError, match=r"^grace must be non-negative, got -1\.$"):
            await wire.channel.close(-1)
        assert await wire() == b"request"


@arities
@pytest.mark.parametrize("grace", [None, 0, 0.1])
@looped
async def test_close_cancels_the_calls_that_are_left(arity: str, grace: float | None) -> None:
    hang = Hang()
    async with wired(hang.of(arity)) as wire:
        calls = [wire() for _ in range(3)]
        await hang.entered.wait()
        started = time.monotonic()
        await wire.channel.close(grace)
        assert time.monotonic() - started >= (grace or 0) * 0.95
        in_time(started, 3)
        for call in calls:
            assert call.cancelled()
            assert await call.code() is grpc.StatusCode.CANCELLED
            assert await call.details() == "Locally cancelled by application!"
            with pytest.raises(asyncio.CancelledError):
                await result_of(call)
        await asyncio.wait_for(hang.left.wait(), 3)


@arities
@looped
async def test_calls_may_finish_within_the_grace(arity: str) -> None:
    gate = Gate()
    async with wired(gate.of(arity)) as wire:
        call = wire()
        result = asyncio.ensure_future(_collect(call))
        await gate.entered.wait()
        closing = asyncio.create_task(wire.channel.close(5))
        await asyncio.sleep(0.01)
        assert not closing.done()
        # No new calls meanwhile.
        with pytest.raises(aio.UsageError):
            wire()
        gate.finish.set()
        started = time.monotonic()
        await closing
        in_time(started, 3)
        assert await result == b"request"
        assert await call.code() is grpc.StatusCode.OK


async def _collect(call: Any) -> Any:
    return await result_of(call)


@looped
async def test_close_ends_a_wait_for_a_state() -> None:
    async with aio.insecure_channel("127.0.0.1:1") as channel:
        waiting = asyncio.create_task(channel.wait_for_state_change(State.IDLE))
        ready = asyncio.create_task(channel.channel_ready())
        await asyncio.sleep(0.01)
        await channel.close()
        # Either is an answer: the state has changed, or there is nothing left to watch.
        for task in (waiting, ready):
            outcome = (await asyncio.gather(task, return_exceptions=True))[0]
            assert outcome is None or isinstance(outcome, aio.UsageError | RuntimeError)


@looped
async def test_a_channel_that_was_never_used_closes() -> None:
    for grace in (None, 0, 1):
        channel = aio.insecure_channel("127.0.0.1:1")
        started = time.monotonic()
        await channel.close(grace)
        in_time(started, 0.5)


@looped
async def test_closing_one_channel_leaves_others_to_the_same_server() -> None:
    for arity in ARITIES:
        async with wired(echo_of(arity)) as wire:
            other = aio.insecure_channel(wire.target)
            await other.channel_ready()
            await other.close()
            assert await result_of(wire()) == b"request"


@arities
@looped
async def test_what_a_call_knows_outlives_its_channel(arity: str) -> None:
    async def tell(context: Any) -> None:
        await context.send_initial_metadata((("x-first", "value" * 20), ("x-first-bin", bytes(100))))
        context.set_trailing_metadata((("x-last", "value" * 20), ("x-last-bin", bytes(100))))

    async with wired(before_each(arity, tell)) as wire:
        calls = [wire() for _ in range(3)]
        for call in calls:
            assert await result_of(call) == b"request"
            assert await call.code() is grpc.StatusCode.OK
        await wire.channel.close()
        await asyncio.sleep(0.01)
        for call in calls:
            assert (await call.initial_metadata())["x-first"] == "value" * 20
            assert (await call.trailing_metadata())["x-last-bin"] == bytes(100)
            assert call.done()
            assert call.cancel() is False


@looped
async def test_messages_that_arrived_may_be_read_after_the_channel_was_closed() -> None:
    async def three(request: bytes, context: Any) -> Any:
        for message in (b"1", b"2", b"3"):
            yield message

    async with wired(us(three)) as wire:
        call = wire()
        assert await call.read() == b"1"
        await asyncio.sleep(0.05)
        closing = asyncio.create_task(wire.channel.close(5))
        assert [await call.read(), await call.read(), await call.read()] == [b"2", b"3", aio.EOF]
        await closing
        assert await call.code() is grpc.StatusCode.OK
