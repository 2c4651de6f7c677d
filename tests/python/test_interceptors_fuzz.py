# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Cancels intercepted calls after every number of loop turns that they can take."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import grpc
import grpc.aio
import pytest
from intercepting import Arity, Service, interceptor
from intercepting import arity as arity
from support import aio, run, serving, until

pytestmark = pytest.mark.uvgrpc_only

# More than a call on one loop takes; that it is enough is checked.
TURNS = 60

inside = 0


@contextlib.contextmanager
def counted() -> Any:
    """Counts the interceptors that are at work."""
    global inside
    inside += 1
    try:
        yield
    finally:
        inside -= 1


def passing(arity: Arity) -> Any:
    async def body(continuation: Any, details: Any, request: Any) -> Any:
        with counted():
            return await continuation(details, request)

    return body


def waiting(arity: Arity) -> Any:
    """Waits before and after the RPC, and for the RPC if it has one response."""

    async def body(continuation: Any, details: Any, request: Any) -> Any:
        with counted():
            await asyncio.sleep(0)
            call = await continuation(details, request)
            if not arity.streams_responses:
                await call
            await asyncio.sleep(0)
            return call

    return body


def asking(arity: Arity) -> Any:
    """Asks for the code of a response, as instrumentation does; hands a stream on."""

    async def body(continuation: Any, details: Any, request: Any) -> Any:
        with counted():
            call = await continuation(details, request)
            if arity.streams_responses:
                return handing_on(call)
            await call.code()
            return call

    async def handing_on(responses: Any) -> Any:
        async for response in responses:
            yield response

    return body


def transforming(arity: Arity) -> Any:
    """Changes requests on their way, and makes responses its own."""

    async def body(continuation: Any, details: Any, request: Any) -> Any:
        with counted():
            call = await continuation(details, each(request) if arity.streams_requests else request)
            return each(call) if arity.streams_responses else bytes(await call)

    async def each(messages: Any) -> Any:
        async for message in messages:
            yield bytes(message)

    return body


def trying_again(arity: Arity) -> Any:
    """Goes on when it is cancelled, once."""

    async def body(continuation: Any, details: Any, request: Any) -> Any:
        with counted():
            try:
                await asyncio.sleep(0)
                call = await continuation(details, request)
                await asyncio.sleep(0)
                return call
            except asyncio.CancelledError:
                return await continuation(details, request)

    return body


async def written(call: Any, arity: Arity) -> bytes:
    """Uses the call by write() and read()."""
    with contextlib.suppress(asyncio.InvalidStateError):
        for message in (b"1", b"2"):
            await call.write(message)
        await call.done_writing()
    if not arity.streams_responses:
        return bytes(await call)
    responses = []
    while (response := await call.read()) is not aio.EOF:
        responses.append(response)
    return b",".join(responses)


def start(channel: Any, arity: Arity, writes: bool) -> tuple[Any, Any]:
    """A call, and what uses it."""
    if writes:
        call = getattr(channel, arity.name)(f"/intercept.Service/{arity.name}_echo")()
        return call, written(call, arity)
    call = arity.method(channel, "echo")(b"1,2")
    return call, arity.outcome(call)


# What trying_again() may be left with when it takes up the stream of requests again.
COMPLETE = [None, b"1,2"]
INCOMPLETE = [*COMPLETE, b"2", b""]


async def check(channel: Any, arity: Arity, body: Any, turns: int, way: str, writes: bool) -> bool:
    """Makes a call and cancels it after some turns. True if it was over by then."""
    call, use = start(channel, arity, writes)
    told: list[Any] = []
    call.add_done_callback(lambda call: told.append(call.done()))
    task = asyncio.create_task(use)
    for _ in range(turns):
        await asyncio.sleep(0)
    was_over = task.done()
    if way == "call.cancel":
        call.cancel()
    else:
        task.cancel("fuzz")
    async with asyncio.timeout(5):
        try:
            outcome = await task
        except asyncio.CancelledError:
            outcome = None
        assert outcome in (INCOMPLETE if body is trying_again and not was_over else COMPLETE)
        if outcome is None:
            assert not was_over
        code = await call.code()
        assert code in (grpc.StatusCode.OK, grpc.StatusCode.CANCELLED)
        assert call.done()
        assert call.cancelled() is (code is grpc.StatusCode.CANCELLED)
        await until(lambda: told)
        assert told == [True]
    return was_over


@pytest.mark.parametrize("writes", [False, True], ids=["", "writes"])
@pytest.mark.parametrize("way", ["call.cancel", "task.cancel"])
@pytest.mark.parametrize("body", [passing, waiting, asking, transforming, trying_again])
def test_cancelling_at_every_turn(arity: Arity, body: Any, way: str, writes: bool) -> None:
    if writes and not arity.streams_requests:
        pytest.skip("nothing to write")

    async def main() -> None:
        async with (
            serving(Service().handler()) as running,
            aio.insecure_channel(
                running.target, interceptors=[interceptor(body(arity)), interceptor(passing(arity))]
            ) as channel,
        ):
            await channel.channel_ready()
            over = False
            # A task that is cancelled before its first turn has not touched the call.
            for turns in range(way == "task.cancel", TURNS):
                over = await check(channel, arity, body, turns, way, writes)
                await until(lambda: inside == 0, 5)
            assert over

    run(main())


@pytest.mark.parametrize("body", [passing, waiting, asking, transforming, trying_again])
def test_dropping_at_every_turn(arity: Arity, body: Any) -> None:
    async def main() -> None:
        async with (
            serving(Service().handler()) as running,
            aio.insecure_channel(
                running.target, interceptors=[interceptor(body(arity)), interceptor(passing(arity))]
            ) as channel,
        ):
            await channel.channel_ready()
            for turns in range(TURNS):
                told: list[Any] = []
                call = arity.method(channel, "echo")(b"1,2")
                call.add_done_callback(lambda call, told=told: told.append(call.done()))
                for _ in range(turns):
                    await asyncio.sleep(0)
                del call
                await until(lambda: inside == 0, 5)

    run(main())
