# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What a handler can do with its context."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from typing import Any

import grpc
import pytest
from support import aio, calling, in_time, run, unary, until


def outcome_of(handler: Any) -> Any:
    """What a call of `handler` ends with: its response, or its error."""

    async def main() -> Any:
        async with calling(handler) as method:
            try:
                return await method(b"request", timeout=5)
            except aio.AioRpcError as error:
                return error.with_traceback(None)

    return run(main())


def test_the_context_describes_the_call() -> None:
    seen: dict[str, Any] = {}

    async def handler(request: bytes, context: Any) -> bytes:
        seen.update(
            peer=context.peer(),
            code=context.code(),
            details=context.details(),
            trailing=context.trailing_metadata(),
            done=context.done(),
            cancelled=context.cancelled(),
            left=context.time_remaining(),
        )
        return b""

    assert outcome_of(handler) == b""
    assert re.fullmatch(r"ipv4:127\.0\.0\.1:\d+", seen.pop("peer"))
    assert 0 < seen.pop("left") <= 5.1
    assert not seen.pop("code")
    assert not seen.pop("details")
    assert not seen.pop("trailing")
    assert seen == {"done": False, "cancelled": False}


@pytest.mark.stock_defect("stock's context has no attributes of its own and is no ServicerContext")
def test_the_context_is_a_servicer_context_with_room_for_attributes() -> None:
    async def handler(request: bytes, context: Any) -> bytes:
        assert isinstance(context, grpc.aio.ServicerContext)
        context.own = 42
        return str(context.own).encode()

    assert outcome_of(handler) == b"42"


def test_time_remaining_is_none_without_a_deadline() -> None:
    async def handler(request: bytes, context: Any) -> bytes:
        return repr(context.time_remaining()).encode()

    async def main() -> None:
        async with calling(handler) as method:
            assert await method(b"") == b"None"

    run(main())


# ---- status


def test_a_code_that_is_set_ends_the_call_with_it() -> None:
    async def handler(request: bytes, context: Any) -> bytes:
        context.set_code(grpc.StatusCode.NOT_FOUND)
        context.set_details("nothing here")
        context.set_trailing_metadata((("x-key", "value"),))
        assert context.code() == grpc.StatusCode.NOT_FOUND
        assert context.details() == "nothing here"
        assert context.trailing_metadata() == (("x-key", "value"),)
        return b"ignored"

    error = outcome_of(handler)
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert error.details() == "nothing here"
    assert error.trailing_metadata()["x-key"] == "value"


def test_no_response_is_needed_with_a_code() -> None:
    async def handler(request: bytes, context: Any) -> Any:
        context.set_code(grpc.StatusCode.NOT_FOUND)

    behavior = unary(handler, response_serializer=lambda text: text.encode())
    assert outcome_of(behavior).code() is grpc.StatusCode.NOT_FOUND


def test_details_with_ok_do_no_harm() -> None:
    async def handler(request: bytes, context: Any) -> bytes:
        context.set_code(grpc.StatusCode.OK)
        context.set_details("fine")
        return b"response"

    assert outcome_of(handler) == b"response"


def test_a_code_as_a_number() -> None:
    async def handler(request: bytes, context: Any) -> bytes:
        context.set_code(grpc.StatusCode.ABORTED.value[0])
        return b""

    assert outcome_of(handler).code() is grpc.StatusCode.ABORTED


@pytest.mark.uvgrpc_only
def test_a_code_that_is_none_is_refused() -> None:
    caught: list[type] = []

    async def handler(request: bytes, context: Any) -> bytes:
        for code in ("OK", None, True, 4711):
            try:
                context.set_code(code)
            except (TypeError, ValueError) as error:
                caught.append(type(error))
        return b"served"

    assert outcome_of(handler) == b"served"
    assert caught == [TypeError, TypeError, TypeError, ValueError]


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code.value[0]], ids=str)
def test_every_code_arrives(code: grpc.StatusCode) -> None:
    async def handler(request: bytes, context: Any) -> bytes:
        await context.abort(code, "because")
        return b""

    error = outcome_of(handler)
    assert (error.code(), error.details()) == (code, "because")


# ---- abort


def test_abort_ends_the_call_and_raises_in_the_handler() -> None:
    after: list[str] = []

    async def handler(request: bytes, context: Any) -> bytes:
        try:
            await context.abort(grpc.StatusCode.NOT_FOUND, "gone", (("x-key", "value"),))
        except aio.AbortError as error:
            after.append(type(error).__name__)
            raise
        after.append("returned")
        return b""

    error = outcome_of(handler)
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert error.details() == "gone"
    assert error.trailing_metadata()["x-key"] == "value"
    assert after == ["AbortError"]


def test_abort_is_not_reported_as_an_error(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(request: bytes, context: Any) -> bytes:
        await context.abort(grpc.StatusCode.NOT_FOUND)
        return b""

    assert outcome_of(handler).code() is grpc.StatusCode.NOT_FOUND
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_abort_keeps_what_was_set_before() -> None:
    async def handler(request: bytes, context: Any) -> bytes:
        context.set_details("set before")
        context.set_trailing_metadata((("x-key", "before"),))
        await context.abort(grpc.StatusCode.NOT_FOUND)
        return b""

    error = outcome_of(handler)
    assert error.details() == "set before"
    assert error.trailing_metadata()["x-key"] == "before"


def test_abort_replaces_what_was_set_before() -> None:
    async def handler(request: bytes, context: Any) -> bytes:
        context.set_code(grpc.StatusCode.INTERNAL)
        context.set_details("set before")
        context.set_trailing_metadata((("x-key", "before"),))
        await context.abort(grpc.StatusCode.NOT_FOUND, "now", (("x-key", "now"),))
        return b""

    error = outcome_of(handler)
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert error.details() == "now"
    assert error.trailing_metadata().get_all("x-key") == ["now"]


def test_abort_that_the_handler_suppresses_holds() -> None:
    async def handler(request: bytes, context: Any) -> bytes:
        with contextlib.suppress(aio.AbortError):
            await context.abort(grpc.StatusCode.NOT_FOUND, "first")
        return b"response"

    error = outcome_of(handler)
    assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "first")


def test_a_second_abort_is_a_usage_error() -> None:
    caught: list[Any] = []

    async def handler(request: bytes, context: Any) -> bytes:
        with contextlib.suppress(aio.AbortError):
            await context.abort(grpc.StatusCode.NOT_FOUND, "first")
        try:
            await context.abort(grpc.StatusCode.INTERNAL, "second")
        except aio.UsageError as error:
            caught.append(str(error))
        return b""

    assert outcome_of(handler).details() == "first"
    assert caught == ["Abort already called!"]


def test_abort_with_status() -> None:
    class Status(grpc.Status):
        code = grpc.StatusCode.FAILED_PRECONDITION
        details = "no"
        trailing_metadata = (("x-key", "value"),)

    async def handler(request: bytes, context: Any) -> bytes:
        await context.abort_with_status(Status())
        return b""

    error = outcome_of(handler)
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert error.details() == "no"
    assert error.trailing_metadata()["x-key"] == "value"


@pytest.mark.stock_defect("the client waits for its deadline")
def test_abort_with_invalid_metadata_is_a_type_error() -> None:
    caught: list[Any] = []

    async def handler(request: bytes, context: Any) -> bytes:
        try:
            await context.abort(grpc.StatusCode.NOT_FOUND, "", (("x-key",),))
        except TypeError as error:
            caught.append(error)
        return b"response"

    assert outcome_of(handler) == b"response"
    assert len(caught) == 1


# ---- initial metadata


def test_initial_metadata_is_sent_before_the_response() -> None:
    async def main() -> None:
        finish = asyncio.Event()

        async def handler(request: bytes, context: Any) -> bytes:
            await context.send_initial_metadata((("x-key", "early"),))
            await finish.wait()
            return b"response"

        async with calling(handler) as method:
            call = method(b"")
            await asyncio.sleep(0.02)
            finish.set()
            assert (await call.initial_metadata())["x-key"] == "early"
            assert await call == b"response"

    run(main())


@pytest.mark.uvgrpc_only
def test_initial_metadata_can_be_sent_once() -> None:
    caught: list[str] = []

    async def handler(request: bytes, context: Any) -> bytes:
        await context.send_initial_metadata(())
        try:
            await context.send_initial_metadata(())
        except aio.UsageError as error:
            caught.append(str(error))
        return b"response"

    assert outcome_of(handler) == b"response"
    assert len(caught) == 1
    assert "already sent" in caught[0]


# ---- the end of a call


def test_done_callbacks_are_called_after_the_call() -> None:
    async def main() -> None:
        seen: list[Any] = []

        async def handler(request: bytes, context: Any) -> bytes:
            context.add_done_callback(lambda done: seen.append((done is context, done.done())))
            return b"response"

        async with calling(handler) as method:
            assert await method(b"") == b"response"
            await until(lambda: seen)
        assert [same for same, _ in seen] == [True]

    run(main())


@pytest.mark.stock_defect("cancelled() and done() are false after a client's cancel (#36193)")
def test_a_cancelled_call_is_cancelled_and_done_in_its_callback() -> None:
    async def main() -> None:
        seen: list[Any] = []
        entered = asyncio.Event()

        async def handler(request: bytes, context: Any) -> bytes:
            context.add_done_callback(lambda done: seen.append((done.cancelled(), done.done())))
            entered.set()
            await asyncio.Event().wait()
            return b""

        async with calling(handler) as method:
            call = method(b"")
            await entered.wait()
            call.cancel()
            await until(lambda: seen, 5)
        assert seen == [(True, True)]

    run(main())


def test_a_client_that_leaves_cancels_the_handler() -> None:
    async def main() -> None:
        left: list[float] = []
        entered = asyncio.Event()

        async def handler(request: bytes, context: Any) -> bytes:
            entered.set()
            try:
                await asyncio.Event().wait()
            finally:
                left.append(time.monotonic())
            return b""

        async with calling(handler) as method:
            call = method(b"")
            await entered.wait()
            started = time.monotonic()
            call.cancel()
            await until(lambda: left)
            in_time(started, 5)

    run(main())


def test_what_is_done_after_the_client_left_harms_nobody() -> None:
    async def main() -> None:
        finished: list[str] = []
        entered = asyncio.Event()

        async def handler(request: bytes, context: Any) -> bytes:
            if request == b"live":
                return request
            entered.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                context.set_code(grpc.StatusCode.INTERNAL)
                context.set_details("nobody hears this")
                context.set_trailing_metadata((("x-key", "value"),))
            finished.append("yes")
            return b"too late"

        async with calling(handler) as method:
            call = method(b"dead")
            await entered.wait()
            call.cancel()
            await until(lambda: finished)
            assert await method(b"live") == b"live"

    run(main())


def test_a_handler_can_outlive_its_client_with_shield() -> None:
    async def main() -> None:
        finished: list[str] = []
        entered = asyncio.Event()

        async def work() -> None:
            entered.set()
            await asyncio.sleep(0.05)
            finished.append("yes")

        async def handler(request: bytes, context: Any) -> bytes:
            await asyncio.shield(work())
            return b""

        async with calling(handler) as method:
            call = method(b"")
            await entered.wait()
            call.cancel()
            await until(lambda: finished)

    run(main())
