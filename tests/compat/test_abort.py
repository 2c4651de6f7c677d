# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""abort() and abort_with_status(): how handlers end their calls."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from rig import arities, failure_of, handler, looped, own, wired, with_context
from support import aio


@arities
@looped
async def test_abort_raises_in_the_handler_and_ends_the_call(
    arity: str, caplog: pytest.LogCaptureFixture
) -> None:
    raised: list[Any] = []

    async def use(context: Any) -> None:
        try:
            await context.abort(grpc.StatusCode.NOT_FOUND, "gone", (("x-last", "yes"),))
        except aio.AbortError as error:
            raised.append(str(error))
            assert context.code() is grpc.StatusCode.NOT_FOUND
            assert context.details() == "gone"
            raise

    async with wired(with_context(arity, use)) as wire:
        error = await failure_of(wire())
        assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "gone")
        assert own(error.trailing_metadata()) == [("x-last", "yes")]
    assert raised == ["Locally aborted."]
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


@arities
@looped
async def test_abort_keeps_what_was_set_before_unless_told_otherwise(arity: str) -> None:
    replaces = False

    async def use(context: Any) -> None:
        context.set_code(grpc.StatusCode.INTERNAL)
        context.set_details("before")
        context.set_trailing_metadata((("x-last", "before"),))
        if replaces:
            await context.abort(grpc.StatusCode.NOT_FOUND, "now", (("x-last", "now"),))
        await context.abort(grpc.StatusCode.NOT_FOUND)

    async with wired(with_context(arity, use)) as wire:
        for expected in ("before", "now"):
            error = await failure_of(wire())
            assert error.code() is grpc.StatusCode.NOT_FOUND
            assert error.details() == expected
            assert own(error.trailing_metadata()) == [("x-last", expected)]
            replaces = True


@arities
@looped
async def test_abort_after_some_messages(arity: str) -> None:
    async def many(request: Any, context: Any) -> AsyncIterator[bytes]:
        yield b"first"
        await context.abort(grpc.StatusCode.DATA_LOSS, "lost")

    async def single(request: Any, context: Any) -> bytes:
        await context.send_initial_metadata((("x-first", "yes"),))
        await context.abort(grpc.StatusCode.DATA_LOSS, "lost")
        return b""

    async with wired(handler(arity, single if arity.endswith("unary") else many)) as wire:
        call = wire()
        assert (await failure_of(call)).code() is grpc.StatusCode.DATA_LOSS
        if arity.endswith("unary"):
            assert (await call.initial_metadata())["x-first"] == "yes"


@arities
@looped
async def test_abort_with_status_takes_its_three_parts(arity: str) -> None:
    class Status(grpc.Status):
        code = grpc.StatusCode.FAILED_PRECONDITION
        details = "no"
        trailing_metadata = (("x-last", "yes"),)

    async with wired(with_context(arity, lambda context: context.abort_with_status(Status()))) as wire:
        error = await failure_of(wire())
        assert (error.code(), error.details()) == (grpc.StatusCode.FAILED_PRECONDITION, "no")
        assert own(error.trailing_metadata()) == [("x-last", "yes")]


@arities
@looped
async def test_abort_that_is_suppressed_holds_and_is_logged(
    arity: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def use(context: Any) -> None:
        with contextlib.suppress(aio.AbortError):
            await context.abort(grpc.StatusCode.NOT_FOUND, "first")

    async with wired(with_context(arity, use)) as wire:
        error = await failure_of(wire())
        assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "first")


@looped
async def test_a_second_abort_is_a_usage_error() -> None:
    caught: list[str] = []

    async def use(context: Any) -> None:
        with contextlib.suppress(aio.AbortError):
            await context.abort(grpc.StatusCode.NOT_FOUND, "first")
        try:
            await context.abort(grpc.StatusCode.INTERNAL, "second")
        except aio.UsageError as error:
            caught.append(str(error))

    async with wired(with_context("unary_unary", use)) as wire:
        assert (await failure_of(wire())).details() == "first"
    assert caught == ["Abort already called!"]


@looped
async def test_nothing_may_be_sent_after_an_abort() -> None:
    caught: list[type] = []

    async def many(request: Any, context: Any) -> None:
        with contextlib.suppress(aio.AbortError):
            await context.abort(grpc.StatusCode.NOT_FOUND, "first")
        for send in (context.write(b"x"), context.send_initial_metadata(())):
            try:
                await send
            except aio.AbortError as error:
                caught.append(type(error))

    async with wired(handler("unary_stream", many)) as wire:
        assert (await failure_of(wire())).details() == "first"
    assert caught == [aio.AbortError] * 2
