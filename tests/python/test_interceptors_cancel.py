# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Cancelling an intercepted call: whenever, by whomever, with whatever interceptors at work."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

import grpc
import grpc.aio
import pytest
from intercepting import ARITIES, UNARY_UNARY, Arity, Peer, interceptor, passing
from intercepting import arity as arity
from intercepting import peer as peer
from support import aio, calling, echo, in_time, run, until

CANCELLED = grpc.StatusCode.CANCELLED


async def is_cancelled(call: Any, arity: Arity) -> None:
    """Checks that the call is one that this side cancelled."""
    with pytest.raises(asyncio.CancelledError):
        await arity.outcome(call)
    assert call.done()
    assert call.cancelled()
    assert await call.code() is CANCELLED
    assert await call.details() == "Locally cancelled by application!"
    assert not await call.debug_error_string()
    assert not await call.initial_metadata()
    assert not await call.trailing_metadata()
    assert call.cancel() is False


# ---- by cancel()


def test_before_the_interceptors_ran(arity: Arity, peer: Peer) -> None:
    ran = []

    async def body(continuation: Any, details: Any, request: Any) -> Any:
        ran.append(1)
        return await continuation(details, request)

    async def main() -> None:
        async with peer.channel(interceptor(body, arity)) as channel:
            call = arity.method(channel, "echo")(b"1")
            assert call.cancel()
            await is_cancelled(call, arity)
            assert ran == []

    run(main())


def test_while_an_interceptor_waits_before_the_rpc(arity: Arity, peer: Peer) -> None:
    async def main() -> None:
        waiting = asyncio.Event()
        left = asyncio.Event()

        async def body(continuation: Any, details: Any, request: Any) -> Any:
            waiting.set()
            try:
                await asyncio.Event().wait()
            finally:
                left.set()

        async with peer.channel(interceptor(body, arity)) as channel:
            call = arity.method(channel, "echo")(b"1")
            await waiting.wait()
            assert not call.done()
            assert call.cancel()
            await is_cancelled(call, arity)
            await left.wait()

    run(main())


@pytest.mark.stock_defect("the RPC goes on")
def test_while_an_interceptor_waits_beside_the_rpc(arity: Arity, peer: Peer) -> None:
    async def main() -> None:
        waiting = asyncio.Event()

        async def body(continuation: Any, details: Any, request: Any) -> Any:
            call = await continuation(details, request)
            await asyncio.sleep(0.1)  # the RPC gets to the server
            waiting.set()
            await asyncio.Event().wait()
            return call

        async with peer.channel(interceptor(body, arity)) as channel, peer.cancels():
            call = arity.method(channel, "hang")(b"1")
            await waiting.wait()
            assert call.cancel()
            await is_cancelled(call, arity)

    run(main())


@pytest.mark.stock_defect("the RPC goes on")
def test_while_an_interceptor_waits_for_the_code(arity: Arity, peer: Peer) -> None:
    codes = []

    async def body(continuation: Any, details: Any, request: Any) -> Any:
        call = await continuation(details, request)
        try:
            await call.code()
        finally:
            codes.append(await call.code())
        return call

    async def main() -> None:
        async with peer.channel(interceptor(body, arity)) as channel, peer.cancels():
            call = arity.method(channel, "hang")(b"1")
            await asyncio.sleep(0.1)
            assert call.cancel()
            await is_cancelled(call, arity)
            await until(lambda: codes)
            assert codes == [CANCELLED]

    run(main())


@pytest.mark.stock_defect("instrumentation never gets to know")
def test_an_interceptor_that_waits_for_the_code_gets_it(arity: Arity, peer: Peer) -> None:
    codes = []

    async def body(continuation: Any, details: Any, request: Any) -> Any:
        call = await continuation(details, request)
        codes.append(await call.code())
        return call

    async def main() -> None:
        async with peer.channel(interceptor(passing, arity), interceptor(body, arity)) as channel:
            call = arity.method(channel, "hang")(b"1")
            await asyncio.sleep(0.1)
            assert call.cancel()
            await is_cancelled(call, arity)
            await asyncio.sleep(0.01)
            assert codes == [CANCELLED]

    run(main())


def test_after_the_interceptors_ran(arity: Arity, peer: Peer) -> None:
    async def main() -> None:
        async with peer.channel(interceptor(passing, arity)) as channel, peer.cancels():
            call = arity.method(channel, "hang")(b"1")
            await asyncio.sleep(0.1)
            assert call.cancel()
            assert call.cancelled()
            with pytest.raises(asyncio.CancelledError):
                await arity.outcome(call)
            assert await call.code() is CANCELLED
            assert await call.details() == "Locally cancelled by application!"

    run(main())


def test_by_an_interceptor(arity: Arity, peer: Peer) -> None:
    async def body(continuation: Any, details: Any, request: Any) -> Any:
        call = await continuation(details, request)
        call.cancel()
        return call

    async def main() -> None:
        async with peer.channel(interceptor(body, arity)) as channel:
            call = arity.method(channel, "echo")(b"1")
            with pytest.raises(asyncio.CancelledError):
                await arity.outcome(call)
            assert call.cancelled()
            assert call.done()
            assert await call.code() is CANCELLED

    run(main())


@pytest.mark.stock_defect("cancelled() is false: the interceptor decides")
def test_an_interceptor_cannot_undo_it(arity: Arity, peer: Peer) -> None:
    started = []

    async def body(continuation: Any, details: Any, request: Any) -> Any:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(30)
        with contextlib.suppress(asyncio.CancelledError):
            started.append(await continuation(details, request))
        if arity.streams_responses:
            return _nothing()
        return b"made up"

    async def main() -> None:
        async with peer.channel(interceptor(body, arity)) as channel:
            call = arity.method(channel, "echo")(b"1")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert call.cancel()
            assert call.cancelled()
            await is_cancelled(call, arity)
            await asyncio.sleep(0.01)
            await is_cancelled(call, arity)
            assert started == []

    run(main())


async def _nothing() -> Any:
    for _ in ():
        yield


@pytest.mark.stock_defect("accessors wait for the interceptor")
def test_a_slow_interceptor_does_not_hold_up_who_asks(arity: Arity, peer: Peer) -> None:
    async def main() -> None:
        released = asyncio.Event()

        async def body(continuation: Any, details: Any, request: Any) -> Any:
            try:
                await asyncio.Event().wait()
            finally:
                await released.wait()

        async with peer.channel(interceptor(body, arity)) as channel:
            call = arity.method(channel, "echo")(b"1")
            asked = asyncio.create_task(call.code())
            done: list[Any] = []
            call.add_done_callback(done.append)
            await asyncio.sleep(0.01)
            assert not asked.done()
            assert call.cancel()
            await asyncio.wait([asked], timeout=1)
            assert asked.done()
            assert await asked is CANCELLED
            await is_cancelled(call, arity)
            await until(lambda: done)
            released.set()
            await asyncio.sleep(0.01)
            assert done == [call]

    run(main())


# ---- by cancelling who waits


@pytest.mark.parametrize("stage", ["before", "beside", "after"])
def test_cancelling_the_task_that_waits_cancels_the_call(arity: Arity, peer: Peer, stage: str) -> None:
    async def main() -> None:
        async def body(continuation: Any, details: Any, request: Any) -> Any:
            if stage == "before":
                await asyncio.Event().wait()
            call = await continuation(details, request)
            if stage == "beside":
                await call.wait_for_connection() if arity.streams_responses else await call
                await asyncio.Event().wait()
            return call

        async with peer.channel(interceptor(body, arity)) as channel:
            # Nothing would cancel the RPC but the call: it is kept.
            call = arity.method(channel, "hang")(b"1")
            before = await peer.cancelled()
            task = asyncio.create_task(arity.outcome(call))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await until(call.done)
            assert call.cancelled()
            assert await call.code() is CANCELLED
            if stage == "after":
                async with asyncio.timeout(5):
                    while await peer.cancelled() == before:
                        pass

    run(main())


_LOST = pytest.mark.stock_defect("the message of task.cancel() is lost (#43502)")


@pytest.mark.parametrize(
    "arity",
    [pytest.param(UNARY_UNARY, marks=_LOST), *ARITIES[1:]],
    ids=lambda arity: arity.name,
)
def test_the_message_of_task_cancel_is_kept(arity: Arity, peer: Peer) -> None:
    seen: list[Any] = []

    async def waiting(continuation: Any, details: Any, request: Any) -> Any:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            seen.append(error.args)
            raise

    async def main() -> None:
        for body in (waiting, passing):
            async with peer.channel(interceptor(body, arity)) as channel:
                call = arity.method(channel, "hang")(b"1")
                task = asyncio.create_task(arity.outcome(call))
                await asyncio.sleep(0.05)
                task.cancel("why")
                with pytest.raises(asyncio.CancelledError) as caught:
                    await task
                # What comes after the interceptors is the calls' own.
                assert caught.value.args == ("why",)
        assert seen == [("why",)]

    run(main())


def test_wait_for_cancels_the_call(peer: Peer) -> None:
    async def main() -> None:
        async with peer.channel(interceptor(passing, UNARY_UNARY)) as channel, peer.cancels():
            call = UNARY_UNARY.method(channel, "hang")(b"1")
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(call, 0.1)
            assert call.cancelled()

    run(main())


@pytest.mark.stock_defect("it cancels the interceptors")
def test_cancelling_a_wait_for_an_accessor_leaves_the_call_alone(arity: Arity, peer: Peer) -> None:
    async def main() -> None:
        proceed = asyncio.Event()

        async def body(continuation: Any, details: Any, request: Any) -> Any:
            await proceed.wait()
            return await continuation(details, request)

        async with peer.channel(interceptor(body, arity)) as channel:
            call = arity.method(channel, "echo")(b"1")
            asked = [
                asyncio.create_task(accessor())
                for accessor in (call.code, call.details, call.trailing_metadata, call.wait_for_connection)
            ]
            await asyncio.sleep(0.01)
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
            assert all(task.cancelled() for task in asked)
            proceed.set()
            assert await arity.outcome(call) == b"1"

    run(main())


# ---- by closing the channel


def test_closing_the_channel_cancels_calls_that_have_not_begun() -> None:
    async def main() -> None:
        async def body(continuation: Any, details: Any, request: Any) -> Any:
            await asyncio.Event().wait()

        async with calling(echo) as method:
            method._interceptors.append(interceptor(body, UNARY_UNARY))
            call = method(b"1")
            await asyncio.sleep(0.01)
        await is_cancelled(call, UNARY_UNARY)

    run(main())


def test_closing_with_grace_waits_for_interceptors(peer: Peer) -> None:
    async def main() -> None:
        async def body(continuation: Any, details: Any, request: Any) -> Any:
            call = await continuation(details, request)
            await call
            await asyncio.sleep(0.2)
            return call

        channel = peer.channel(interceptor(body, UNARY_UNARY))
        method = UNARY_UNARY.method(channel, "echo")
        call = method(b"1")
        await asyncio.sleep(0.1)
        started = time.monotonic()
        await channel.close(grace=5)
        in_time(started, 3)
        assert await call == b"1"
        with pytest.raises(aio.UsageError):
            await method(b"2")

    run(main())
