# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The kinds of handlers: coroutines, async generators, readers and writers, and their errors."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from rig import (
    arities,
    failure_of,
    handler,
    looped,
    own,
    result_of,
    ss,
    stream_requests,
    stream_responses,
    su,
    us,
    uu,
    wired,
)
from support import aio, in_time


@looped
async def test_a_servicers_methods_are_handlers() -> None:
    class Servicer:
        suffix = b"!"

        async def Method(self, request: bytes, context: Any) -> bytes:
            return request + self.suffix

    async with wired(uu(Servicer().Method)) as wire:
        assert await wire() == b"request!"


@looped
async def test_a_partial_of_a_coroutine_function_is_a_handler() -> None:
    async def behavior(suffix: bytes, request: bytes, context: Any) -> bytes:
        return request + suffix

    async with wired(uu(functools.partial(behavior, b"?"))) as wire:
        assert await wire() == b"request?"


@stream_responses
@looped
async def test_a_handler_may_write_its_responses(arity: str) -> None:
    async def behavior(request: Any, context: Any) -> None:
        for number in range(3):
            await context.write(b"%d" % number)

    async with wired(handler(arity, behavior)) as wire:
        call = wire()
        assert [message async for message in call] == [b"0", b"1", b"2"]
        assert await call.code() is grpc.StatusCode.OK


@stream_requests
@looped
async def test_a_handler_may_read_its_requests(arity: str) -> None:
    async def single(_requests: Any, context: Any) -> bytes:
        read = []
        while (message := await context.read()) is not aio.EOF:
            read.append(message)
        assert await context.read() is aio.EOF
        return b"".join(read)

    async def many(_requests: Any, context: Any) -> None:
        await context.write(await single(_requests, context))

    async with wired(handler(arity, single if arity.endswith("unary") else many)) as wire:
        assert await result_of(wire([b"a", b"b", b"c"])) == b"abc"
        assert await result_of(wire([])) == b""


@stream_requests
@looped
async def test_a_handler_may_iterate_its_requests_step_by_step(arity: str) -> None:
    async def single(requests: Any, context: Any) -> bytes:
        first = await requests.__anext__()
        rest = [message async for message in requests]
        assert requests.__aiter__() is requests.__aiter__()
        with pytest.raises(StopAsyncIteration):
            await requests.__anext__()
        return first + b"|" + b"".join(rest)

    async def many(requests: Any, context: Any) -> AsyncIterator[bytes]:
        yield await single(requests, context)

    async with wired(handler(arity, single if arity.endswith("unary") else many)) as wire:
        assert await result_of(wire([b"a", b"b", b"c"])) == b"a|bc"


@looped
async def test_a_handler_may_read_and_iterate_by_turns() -> None:
    async def behavior(requests: Any, context: Any) -> AsyncIterator[bytes]:
        yield b"read:" + await context.read()
        async for message in requests:
            yield b"iterated:" + message

    async with wired(ss(behavior)) as wire:
        assert [m async for m in wire([b"a", b"b"])] == [b"read:a", b"iterated:b"]


@pytest.mark.stock_defect("a write that fails replaces the server's status by INTERNAL", strict=False)
@stream_requests
@looped
async def test_a_handler_need_not_read_its_requests(arity: str) -> None:
    async def single(requests: Any, context: Any) -> bytes:
        return b"answer"

    async def many(requests: Any, context: Any) -> AsyncIterator[bytes]:
        yield b"answer"

    async with wired(handler(arity, single if arity.endswith("unary") else many)) as wire:
        assert await result_of(wire([b"a"] * 10)) == b"answer"
        call = wire.method()()
        assert await result_of(call) == b"answer"
        assert await call.code() is grpc.StatusCode.OK


@pytest.mark.stock_defect("a write that fails replaces the server's status by INTERNAL", strict=False)
@stream_responses
@looped
async def test_a_handler_without_responses_ends_the_call(arity: str) -> None:
    async def coroutine(request: Any, context: Any) -> None:
        pass

    async def generator(request: Any, context: Any) -> AsyncIterator[bytes]:
        return
        yield

    for behavior in (coroutine, generator):
        async with wired(handler(arity, behavior)) as wire:
            call = wire()
            assert [message async for message in call] == []
            assert await call.code() is grpc.StatusCode.OK


@looped
async def test_a_handler_may_answer_while_requests_still_come() -> None:
    async def behavior(requests: Any, context: Any) -> AsyncIterator[bytes]:
        total = 0
        async for message in requests:
            total += int(message)
            yield b"%d" % total

    async with wired(ss(behavior)) as wire:
        call = wire.method()()
        totals = []
        for number in (1, 2, 3):
            await call.write(b"%d" % number)
            totals.append(int(await call.read()))
        await call.done_writing()
        assert totals == [1, 3, 6]
        assert await call.read() is aio.EOF


@pytest.mark.filterwarnings("ignore:coroutine")
@pytest.mark.stock_defect("an object whose __call__ is async is taken for a sync handler, and fails")
@looped
async def test_an_object_whose_call_is_async_is_an_async_handler() -> None:
    class Callable:
        async def __call__(self, request: bytes, context: Any) -> bytes:
            return request

    async with wired(uu(Callable())) as wire:
        assert await wire(timeout=3) == b"request"


# ---- errors


class Failing(Exception):
    """Cannot be turned into text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


def raising(arity: str, error: Any, before: Any = None) -> Any:
    async def single(request: Any, context: Any) -> bytes:
        if before is not None:
            before(context)
        raise error

    async def many(request: Any, context: Any) -> AsyncIterator[bytes]:
        if before is not None:
            before(context)
        yield b"first"
        raise error

    return handler(arity, single if arity.endswith("unary") else many)


@arities
@looped
async def test_the_text_of_an_exception_reaches_the_client(
    arity: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with wired(raising(arity, ValueError("the message"))) as wire:
        error = await failure_of(wire())
        assert error.code() is grpc.StatusCode.UNKNOWN
        assert error.details() == "Unexpected <class 'ValueError'>: the message"
    assert "Unexpected [ValueError] raised by servicer method [/test.Service/Method]" in caplog.text


@arities
@looped
async def test_a_code_set_before_an_exception_is_kept_and_the_details_are_not(arity: str) -> None:
    def before(context: Any) -> None:
        context.set_code(grpc.StatusCode.INVALID_ARGUMENT)
        context.set_details("set before")
        context.set_trailing_metadata((("x-last", "kept"),))

    async with wired(raising(arity, KeyError("key"), before)) as wire:
        error = await failure_of(wire())
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert error.details() == "Unexpected <class 'KeyError'>: 'key'"
        assert own(error.trailing_metadata()) == [("x-last", "kept")]


@arities
@pytest.mark.stock_defect("#32199: an exception that has no text leaves the client waiting")
@looped
async def test_an_exception_without_text_still_ends_the_call(arity: str) -> None:
    async with wired(raising(arity, Failing())) as wire:
        error = await failure_of(wire(timeout=1))
        assert error.code() is grpc.StatusCode.UNKNOWN
        assert "Failing" in error.details()


@arities
@pytest.mark.stock_defect("#29248: a handler that is cancelled leaves the client waiting")
@looped
async def test_a_handler_that_raises_cancelled_ends_the_call(arity: str) -> None:
    async with wired(raising(arity, asyncio.CancelledError())) as wire:
        started = time.monotonic()
        error = await failure_of(wire(timeout=1))
        assert error.code() is grpc.StatusCode.CANCELLED
        in_time(started, 0.5)


@arities
@looped
async def test_an_rpc_error_of_another_call_is_an_exception_as_any_other(arity: str) -> None:
    error = aio.AioRpcError(grpc.StatusCode.NOT_FOUND, aio.Metadata(), aio.Metadata(), "inner")
    async with wired(raising(arity, error)) as wire:
        outer = await failure_of(wire())
        assert outer.code() is grpc.StatusCode.UNKNOWN
        assert "AioRpcError" in outer.details()


@looped
async def test_a_stream_that_ends_by_stop_async_iteration_is_an_error() -> None:
    async def behavior(request: bytes, context: Any) -> AsyncIterator[bytes]:
        yield b"first"
        raise StopAsyncIteration

    async with wired(us(behavior)) as wire:
        error = await failure_of(wire())
        assert error.code() is grpc.StatusCode.UNKNOWN


@pytest.mark.parametrize("response", [42, object()], ids=["int", "object"])
@looped
async def test_a_response_that_is_no_message_fails_the_call(response: Any) -> None:
    async def behavior(request: bytes, context: Any) -> Any:
        return response

    async with wired(uu(behavior)) as wire:
        error = await failure_of(wire(timeout=3))
        assert error.code() in (grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL)


@pytest.mark.stock_defect("a handler that answers None sends an empty message (as #34894)")
@looped
async def test_a_handler_that_answers_none_fails_the_call() -> None:
    async def behavior(request: bytes, context: Any) -> Any:
        return None

    async with wired(uu(behavior)) as wire:
        error = await failure_of(wire(timeout=3))
        assert error.code() in (grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL)


@looped
async def test_a_failing_handler_harms_no_other_call() -> None:
    async def behavior(request: bytes, context: Any) -> bytes:
        if request == b"bad":
            raise ValueError
        await asyncio.sleep(0.001)
        return request

    async with wired(uu(behavior)) as wire:
        calls = [wire(b"bad" if n % 2 else b"%d" % n) for n in range(40)]
        codes = [await call.code() for call in calls]
        assert codes == [grpc.StatusCode.OK, grpc.StatusCode.UNKNOWN] * 20


@looped
async def test_a_stream_unary_handler_that_fails_ends_a_writer() -> None:
    async def behavior(requests: Any, context: Any) -> bytes:
        raise ValueError("no")

    async with wired(su(behavior)) as wire:
        call = wire.method()()
        assert (await failure_of(call)).code() is grpc.StatusCode.UNKNOWN
        with pytest.raises(asyncio.InvalidStateError):
            await call.write(b"late")
