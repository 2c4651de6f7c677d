# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Cancelling calls of all four arities, at each stage and from each side."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import grpc
import pytest
from rig import (
    Gate,
    Hang,
    arities,
    before_each,
    echo_of,
    failure_of,
    handler,
    looped,
    looped_leaving,
    result_of,
    stream_requests,
    stream_responses,
    unary_responses,
    us,
    wired,
)
from support import aio, until

LOCALLY = "Locally cancelled by application!"


async def _check_cancelled(call: Any, awaited: bool = False) -> None:
    """Checks the outcome of a cancelled call; `awaited`: what iterated it has ended already."""
    assert call.done()
    assert call.cancelled()
    assert call.cancel() is False
    assert await call.code() is grpc.StatusCode.CANCELLED
    assert await call.details() == LOCALLY
    assert list(await call.trailing_metadata()) == []
    assert list(await call.initial_metadata()) == []
    if awaited and hasattr(call, "__aiter__"):
        return
    with pytest.raises(asyncio.CancelledError):
        await result_of(call)


@arities
@looped
async def test_cancel_while_the_handler_runs(arity: str) -> None:
    hang = Hang()
    async with wired(hang.of(arity)) as wire:
        call = wire()
        await hang.entered.wait()
        assert not call.cancelled()
        assert call.cancel() is True
        await _check_cancelled(call)
        await asyncio.wait_for(hang.left.wait(), 3)


@arities
@looped
async def test_cancel_in_the_turn_of_the_call(arity: str) -> None:
    async with wired(echo_of(arity)) as wire:
        call = wire()
        assert call.cancel() is True
        await _check_cancelled(call)
        assert await result_of(wire()) == b"request"


@arities
@pytest.mark.parametrize("turns", [1, 2, 3, 5])
@looped
async def test_cancel_some_turns_after_the_call(arity: str, turns: int) -> None:
    async with wired(echo_of(arity)) as wire:
        call = wire()
        for _ in range(turns):
            await asyncio.sleep(0)
        if call.cancel():
            await _check_cancelled(call)
        else:
            assert await call.code() is grpc.StatusCode.OK
        assert await result_of(wire()) == b"request"


@arities
@looped
async def test_cancel_without_a_connection(arity: str) -> None:
    async with aio.insecure_channel("127.0.0.1:1") as channel:
        method = getattr(channel, arity)("/test.Service/Method")
        request = [b"x"] if arity.startswith("stream") else b"x"
        call = method(request, wait_for_ready=True)
        await asyncio.sleep(0.01)
        assert call.cancel() is True
        await _check_cancelled(call)


@arities
@looped
async def test_cancel_after_the_end_changes_nothing(arity: str) -> None:
    async with wired(echo_of(arity)) as wire:
        call = wire()
        await result_of(call)
        assert await call.code() is grpc.StatusCode.OK
        assert call.cancel() is False
        assert not call.cancelled()
        assert await call.code() is grpc.StatusCode.OK


@arities
@looped
async def test_cancelling_the_task_that_waits_cancels_the_call(arity: str) -> None:
    hang = Hang()
    async with wired(hang.of(arity)) as wire:
        call = wire()
        task = asyncio.ensure_future(_wait(call))
        await hang.entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await _check_cancelled(call, awaited=True)
        await asyncio.wait_for(hang.left.wait(), 3)


async def _wait(call: Any) -> Any:
    return await result_of(call)


@arities
@looped
async def test_wait_for_cancels_the_call(arity: str) -> None:
    hang = Hang()
    async with wired(hang.of(arity)) as wire:
        call = wire()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(_wait(call), 0.05)
        await _check_cancelled(call, awaited=True)


@arities
@looped
async def test_cancelling_a_wait_for_an_accessor_leaves_the_call_alone(arity: str) -> None:
    gate = Gate()
    async with wired(gate.of(arity)) as wire:
        call = wire()
        for accessor in (call.code, call.details, call.initial_metadata, call.trailing_metadata):
            waiter = asyncio.create_task(accessor())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            waiter.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiter
        await gate.entered.wait()
        gate.finish.set()
        assert await result_of(call) == b"request"


@unary_responses
@looped
async def test_shield_keeps_the_call(arity: str) -> None:
    gate = Gate()
    async with wired(gate.of(arity)) as wire:
        call = wire()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(call), 0.02)
        await gate.entered.wait()
        gate.finish.set()
        assert await call == b"request"


@arities
@looped
async def test_a_cancelled_status_from_the_server_is_an_error(arity: str) -> None:
    async def abort(context: Any) -> None:
        await context.abort(grpc.StatusCode.CANCELLED, "remote")

    async with wired(before_each(arity, abort)) as wire:
        call = wire()
        error = await failure_of(call)
        assert error.code() is grpc.StatusCode.CANCELLED
        assert error.details() == "remote"
        assert call.cancelled()


@stream_responses
@looped
async def test_cancel_between_two_messages(arity: str) -> None:
    hang = Hang()

    async def endless(request: Any, context: Any) -> Any:
        try:
            while True:
                yield b"message"
                await asyncio.sleep(0)
        finally:
            hang.left.set()

    async with wired(handler(arity, endless)) as wire:
        call = wire()
        assert await call.read() == b"message"
        assert await call.read() == b"message"
        assert call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call.read()
        assert await call.code() is grpc.StatusCode.CANCELLED
        assert await call.details() == LOCALLY
        await asyncio.wait_for(hang.left.wait(), 3)


@looped
async def test_cancel_inside_the_iteration_ends_it() -> None:
    async def endless(request: bytes, context: Any) -> Any:
        while True:
            yield b"message"
            await asyncio.sleep(0)

    async with wired(us(endless)) as wire:
        call, seen = wire(), 0

        async def read() -> None:
            nonlocal seen
            async for _ in call:
                seen += 1
                if seen == 3:
                    call.cancel()

        with pytest.raises(asyncio.CancelledError):
            await read()
        # What had arrived already may still be given.
        assert 3 <= seen <= 4
        assert call.cancelled()


@stream_responses
@looped
async def test_cancelling_a_task_that_reads_cancels_the_call(arity: str) -> None:
    hang = Hang()
    async with wired(hang.of(arity)) as wire:
        call = wire()
        task = asyncio.create_task(call.read())
        await hang.entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert call.cancelled()
        assert await call.code() is grpc.StatusCode.CANCELLED
        await asyncio.wait_for(hang.left.wait(), 3)


@stream_requests
@looped
async def test_cancel_ends_the_request_iterator(arity: str) -> None:
    hang, ended = Hang(), asyncio.Event()

    async def requests() -> Any:
        try:
            yield b"1"
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with wired(hang.of(arity)) as wire:
        call = wire.method()(requests())
        await hang.entered.wait()
        assert call.cancel()
        await _check_cancelled(call)
        gc.collect()
        await asyncio.wait_for(ended.wait(), 3)


@arities
@looped_leaving
async def test_a_call_that_is_left_open_does_not_keep_the_loop(arity: str) -> None:
    hang = Hang()
    server = aio.server()
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("test.Service", {"Method": hang.of(arity)}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channel = aio.insecure_channel(f"127.0.0.1:{port}")
    method = getattr(channel, arity)("/test.Service/Method")
    call = method(iter([b"x"]) if arity.startswith("stream") else b"x")
    await hang.entered.wait()
    call.cancel()
    await until(call.done)
    await server.stop(None)
    await channel.close()


@pytest.mark.stock_defect("#43462: a dropped call is never cancelled since 1.83")
@arities
@looped
async def test_a_dropped_call_cancels_itself(arity: str) -> None:
    hang = Hang()
    async with wired(hang.of(arity)) as wire:
        call = wire()
        await hang.entered.wait()
        del call
        gc.collect()
        await asyncio.wait_for(hang.left.wait(), 0.5)


@pytest.mark.stock_defect("#43462: a dropped call is never cancelled since 1.83")
@stream_responses
@looped
async def test_an_iteration_that_is_left_and_dropped_cancels_its_call(arity: str) -> None:
    left = asyncio.Event()

    async def endless(request: Any, context: Any) -> Any:
        try:
            while True:
                yield b"message"
                await asyncio.sleep(0)
        finally:
            left.set()

    async with wired(handler(arity, endless)) as wire:
        call = wire()
        async for _ in call:
            break
        del call
        gc.collect()
        await asyncio.wait_for(left.wait(), 0.5)
