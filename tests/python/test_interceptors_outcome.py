# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What an intercepted call tells of its outcome, whoever made it up."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import Any

import grpc
import grpc.aio
import pytest
from intercepting import (
    STREAM_UNARY,
    UNARY_STREAM,
    UNARY_UNARY,
    Arity,
    Peer,
    interceptor,
    passing,
)
from intercepting import arity as arity
from intercepting import peer as peer
from support import aio, error_of, in_time, run, until

OK = grpc.StatusCode.OK
NOT_FOUND = grpc.StatusCode.NOT_FOUND

# ---- of the server


def test_success(arity: Arity, peer: Peer) -> None:
    async def main() -> None:
        async with peer.channel(interceptor(passing, arity)) as channel:
            call = arity.method(channel, "echo")(b"1,2", metadata=(("x-a", "b"),))
            assert not call.done()
            assert not call.cancelled()
            assert await arity.outcome(call) == b"1,2"
            assert await call.code() is OK
            assert await call.details() == ""
            assert await call.debug_error_string() in ("", None)
            assert isinstance(await call.initial_metadata(), grpc.aio.Metadata)
            assert (await call.trailing_metadata())["x-a"] == "b"
            await call.wait_for_connection()
            assert call.done()
            assert not call.cancelled()
            assert call.cancel() is False

    run(main())


def test_failure(arity: Arity, peer: Peer) -> None:
    async def main() -> None:
        async with peer.channel(interceptor(passing, arity)) as channel:
            call = arity.method(channel, "fail")(b"1")
            error = await error_of(arity.outcome(call))
            assert (error.code(), error.details()) == (NOT_FOUND, "no such thing")
            assert error.trailing_metadata()["x-trailing"] == "yes"
            assert await call.code() is NOT_FOUND
            assert await call.details() == "no such thing"
            assert "no such thing" in str(await call.debug_error_string())
            assert (await call.trailing_metadata())["x-trailing"] == "yes"
            assert call.done()
            assert not call.cancelled()
            assert (await error_of(call.wait_for_connection())).code() is NOT_FOUND

    run(main())


def test_accessors_wait_and_do_not_raise(arity: Arity, peer: Peer) -> None:
    async def main() -> None:
        async with peer.channel(interceptor(passing, arity)) as channel:
            call = arity.method(channel, "hang")(b"1", timeout=0.1)
            assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            assert "Deadline Exceeded" in await call.details()

    run(main())


def test_a_response_can_be_awaited_many_times(peer: Peer) -> None:
    async def main() -> None:
        async with peer.channel(interceptor(passing, UNARY_UNARY)) as channel:
            call = UNARY_UNARY.method(channel, "echo")(b"1")
            assert await asyncio.gather(call, call) == [b"1", b"1"]
            assert await call == b"1"
            failing = UNARY_UNARY.method(channel, "fail")(b"1")
            for _ in range(3):
                assert (await error_of(failing)).code() is NOT_FOUND

    run(main())


# ---- of an interceptor that raises


def raising(error: BaseException, arity: Arity) -> Any:
    async def body(continuation: Any, details: Any, request: Any) -> Any:
        raise error

    return interceptor(body, arity)


def test_an_rpc_error_of_an_interceptor_is_the_status(arity: Arity, peer: Peer) -> None:
    made_up = grpc.aio.AioRpcError(
        grpc.StatusCode.DATA_LOSS,
        grpc.aio.Metadata(("i", "1")),
        grpc.aio.Metadata(("t", "1")),
        "made up",
        "debug",
    )

    async def main() -> None:
        async with peer.channel(raising(made_up, arity)) as channel:
            call = arity.method(channel, "echo")(b"1")
            done: list[Any] = []
            call.add_done_callback(done.append)
            assert await call.code() is grpc.StatusCode.DATA_LOSS
            assert await call.details() == "made up"
            assert await call.debug_error_string() == "debug"
            assert await call.initial_metadata() == (("i", "1"),)
            assert await call.trailing_metadata() == (("t", "1"),)
            assert call.done()
            assert not call.cancelled()
            assert call.cancel() is False
            # A stream ends with its error; a response can be asked for again.
            for _ in range(1 if arity.streams_responses else 2):
                error = await error_of(arity.outcome(call))
                assert (error.code(), error.details()) == (grpc.StatusCode.DATA_LOSS, "made up")
                assert error.trailing_metadata() == (("t", "1"),)
            assert (await error_of(call.wait_for_connection())).code() is grpc.StatusCode.DATA_LOSS
            await until(lambda: done)
            assert done == [call]

    run(main())


def test_an_rpc_error_with_code_cancelled_is_a_cancelled_call(arity: Arity, peer: Peer) -> None:
    error = grpc.aio.AioRpcError(
        grpc.StatusCode.CANCELLED, grpc.aio.Metadata(), grpc.aio.Metadata(), "remote"
    )

    async def main() -> None:
        async with peer.channel(raising(error, arity)) as channel:
            call = arity.method(channel, "echo")(b"1")
            assert await call.code() is grpc.StatusCode.CANCELLED
            assert call.cancelled()
            assert (await error_of(arity.outcome(call))).details() == "remote"

    run(main())


@pytest.mark.stock_defect("the error of a second await does not tell where it was raised")
def test_the_cause_of_an_rpc_error_is_kept(peer: Peer) -> None:
    async def body(continuation: Any, details: Any, request: Any) -> Any:
        try:
            raise KeyError("why")
        except KeyError as error:
            raise grpc.aio.AioRpcError(NOT_FOUND, grpc.aio.Metadata(), grpc.aio.Metadata(), "x") from error

    async def main() -> None:
        async with peer.channel(interceptor(body, UNARY_UNARY)) as channel:
            call = UNARY_UNARY.method(channel, "echo")(b"1")
            for _ in range(2):
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await call
                assert isinstance(caught.value.__cause__, KeyError)
                names = [entry.name for entry in caught.traceback]
                assert "body" in names  # where it was raised

    run(main())


def test_another_error_of_an_interceptor_is_raised_as_it_is(arity: Arity, peer: Peer) -> None:
    problem = ValueError("a bug")

    async def main() -> None:
        async with peer.channel(raising(problem, arity)) as channel:
            call = arity.method(channel, "echo")(b"1")
            done: list[Any] = []
            call.add_done_callback(done.append)
            with pytest.raises(ValueError, match="a bug") as caught:
                await arity.outcome(call)
            assert caught.value is problem
            # There is no status to tell.
            for accessor in (call.code, call.details, call.trailing_metadata, call.wait_for_connection):
                with pytest.raises(ValueError, match="a bug"):
                    await accessor()
            assert call.done()
            assert not call.cancelled()
            assert call.cancel() is False
            await until(lambda: done)
            assert done == [call]

    run(main())


@pytest.mark.parametrize("error", [ValueError("x"), grpc.aio.AioRpcError(NOT_FOUND)], ids=["other", "rpc"])
def test_nothing_is_logged_of_a_failure_that_nobody_awaits(
    arity: Arity, peer: Peer, error: Exception
) -> None:
    reports: list[Any] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))
        async with peer.channel(raising(error, arity)) as channel:
            call = arity.method(channel, "echo")(b"1")
            await asyncio.sleep(0.01)  # done() would count as asking for the exception
            del call
            gc.collect()
            await asyncio.sleep(0.01)
        assert reports == []

    run(main())


@pytest.mark.stock_defect("the RPC goes on")
def test_an_rpc_that_an_interceptor_left_by_raising_is_cancelled(arity: Arity, peer: Peer) -> None:
    async def body(continuation: Any, details: Any, request: Any) -> Any:
        call = await continuation(details, request)
        if not arity.streams_requests:
            await call.wait_for_connection() if arity.streams_responses else await asyncio.sleep(0.1)
        await asyncio.sleep(0.1)
        raise ValueError("a bug")

    async def main() -> None:
        async with peer.channel(interceptor(body, arity)) as channel, peer.cancels():
            call = arity.method(channel, "hang")(b"1")
            with pytest.raises(ValueError, match="a bug"):
                await arity.outcome(call)

    run(main())


# ---- of an interceptor that answers itself


# grpc.aio takes the response for a call: an AttributeError, and another one when collected.
_STREAM_UNARY = pytest.param(STREAM_UNARY, marks=pytest.mark.uvgrpc_only)


@pytest.mark.parametrize("arity", [UNARY_UNARY, _STREAM_UNARY], ids=lambda arity: arity.name)
def test_a_plain_response_is_a_call_that_succeeded(arity: Arity, peer: Peer) -> None:
    async def body(continuation: Any, details: Any, request: Any) -> Any:
        return b"made up"

    async def main() -> None:
        async with peer.channel(interceptor(body, arity)) as channel:
            call = arity.method(channel, "hang")(b"1")
            assert [await call, await call] == [b"made up", b"made up"]
            assert await call.code() is OK
            assert await call.details() == ""
            assert await call.debug_error_string() is None
            assert await call.initial_metadata() is None
            assert await call.trailing_metadata() is None
            await call.wait_for_connection()
            assert call.done()
            assert not call.cancelled()
            assert call.cancel() is False

    run(main())


@pytest.mark.stock_defect("add_done_callback() and time_remaining() raise NotImplementedError")
def test_a_plain_response_runs_done_callbacks(peer: Peer) -> None:
    async def body(continuation: Any, details: Any, request: Any) -> Any:
        call = await continuation(details, request)
        return (await call).upper()

    async def main() -> None:
        async with peer.channel(interceptor(body, UNARY_UNARY)) as channel:
            done: list[Any] = []
            call = UNARY_UNARY.method(channel, "echo")(b"a", timeout=60)
            call.add_done_callback(done.append)
            assert await call == b"A"
            await until(lambda: done)
            call.add_done_callback(done.append)
            assert done == [call, call]
            assert 50 < call.time_remaining() <= 60

    run(main())


@pytest.mark.parametrize("arity", [UNARY_STREAM], ids=lambda arity: arity.name)
@pytest.mark.uvgrpc_only  # AttributeError, as there is no call; another one when collected
def test_an_iterator_without_a_call_is_a_call(arity: Arity, peer: Peer) -> None:
    async def responses(fails: bool) -> Any:
        yield b"a"
        yield b"b"
        if fails:
            raise grpc.aio.AioRpcError(NOT_FOUND, grpc.aio.Metadata(), grpc.aio.Metadata(), "made up")

    async def body(continuation: Any, details: Any, request: Any) -> Any:
        return responses(request == b"fail")

    async def main() -> None:
        async with peer.channel(interceptor(body, arity)) as channel:
            done: list[Any] = []
            call = arity.method(channel, "hang")(b"succeed")
            call.add_done_callback(done.append)
            code = asyncio.create_task(call.code())
            assert [await call.read(), await call.read()] == [b"a", b"b"]
            assert not call.done()
            assert await call.read() is aio.EOF
            assert call.done()
            assert done == [call]
            assert await code is OK
            assert await call.read() is aio.EOF

            call = arity.method(channel, "hang")(b"fail")
            error = await error_of(arity.outcome(call))
            assert error.details() == "made up"
            assert await call.code() is NOT_FOUND

            call = arity.method(channel, "hang")(b"succeed")
            assert await anext(aiter(call)) == b"a"
            assert call.cancel()
            assert call.cancelled()
            assert await call.code() is grpc.StatusCode.CANCELLED

    run(main())


# ---- time


@pytest.mark.stock_defect("NotImplementedError")
def test_time_remaining(arity: Arity, peer: Peer) -> None:
    async def main() -> None:
        proceed = asyncio.Event()

        async def body(continuation: Any, details: Any, request: Any) -> Any:
            await proceed.wait()
            return await continuation(details._replace(timeout=40), request)

        async with peer.channel(interceptor(body, arity)) as channel:
            call = arity.method(channel, "echo")(b"1", timeout=60)
            assert call.time_remaining() == 60
            proceed.set()
            await arity.outcome(call)
            assert 30 < call.time_remaining() <= 40

        async with peer.channel(interceptor(passing, arity)) as channel:
            call = arity.method(channel, "echo")(b"1")
            assert call.time_remaining() is None
            await arity.outcome(call)
            assert call.time_remaining() is None

    run(main())


@pytest.mark.uvgrpc_only  # grpc.aio sends an empty message instead
def test_an_unserializable_request_is_an_error_at_once(arity: Arity, peer: Peer) -> None:
    def refuse(request: bytes) -> bytes:
        raise TypeError("not this")

    async def main() -> None:
        async with peer.channel(interceptor(passing, arity)) as channel:
            call = arity.method(channel, "echo", request_serializer=refuse)(b"1")
            started = time.monotonic()
            assert (await error_of(arity.outcome(call))).code() is grpc.StatusCode.INTERNAL
            in_time(started, 0.05)
            assert await call.code() is grpc.StatusCode.INTERNAL

    run(main())
