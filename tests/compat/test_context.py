# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What handlers are told by their context, and what they tell it: status, metadata, abort."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

import grpc
import pytest
from rig import (
    Hang,
    arities,
    before_each,
    failure_of,
    looped,
    own,
    result_of,
    uu,
    wired,
    with_context,
)
from support import aio, until


@arities
@looped
async def test_a_context_describes_its_call(arity: str) -> None:
    seen: dict[str, Any] = {}

    def look(context: Any) -> None:
        seen.update(
            peer=context.peer(),
            code=context.code(),
            details=context.details(),
            trailing=context.trailing_metadata(),
            done=context.done(),
            cancelled=context.cancelled(),
            left=context.time_remaining(),
            identities=context.peer_identities(),
            identity_key=context.peer_identity_key(),
            auth=context.auth_context(),
        )

    async with wired(with_context(arity, look)) as wire:
        await result_of(wire(timeout=20))
    assert re.fullmatch(r"ipv4:127\.0\.0\.1:\d+", seen.pop("peer"))
    assert 15 < seen.pop("left") <= 21
    assert isinstance(seen.pop("auth"), dict)
    assert seen == {
        "code": None,
        "details": "",
        "trailing": (),
        "done": False,
        "cancelled": False,
        "identities": None,
        "identity_key": None,
    }


@arities
@pytest.mark.stock_defect("grpc.aio's own context is no grpc.aio.ServicerContext")
@looped
async def test_a_context_is_an_instance_of_the_abstract_class(arity: str) -> None:
    def look(context: Any) -> None:
        assert isinstance(context, grpc.aio.ServicerContext)

    async with wired(with_context(arity, look)) as wire:
        await result_of(wire())


@arities
@pytest.mark.stock_defect("#30940: a context has no room for attributes")
@looped
async def test_attributes_may_be_set_on_a_context(arity: str) -> None:
    def use(context: Any) -> None:
        context.user = "alice"
        assert context.user == "alice"

    async with wired(with_context(arity, use)) as wire:
        await result_of(wire())


# ---- status


@arities
@looped
async def test_a_code_that_is_set_ends_the_call_with_it(arity: str) -> None:
    def use(context: Any) -> None:
        context.set_code(grpc.StatusCode.NOT_FOUND)
        context.set_details("nothing here")
        context.set_trailing_metadata((("x-last", "yes"),))
        assert context.code() is grpc.StatusCode.NOT_FOUND
        assert context.details() == "nothing here"
        assert context.trailing_metadata() == (("x-last", "yes"),)

    async with wired(with_context(arity, use)) as wire:
        error = await failure_of(wire())
        assert error.code() is grpc.StatusCode.NOT_FOUND
        assert error.details() == "nothing here"
        assert own(error.trailing_metadata()) == [("x-last", "yes")]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (grpc.StatusCode.OK, grpc.StatusCode.OK),
        (0, grpc.StatusCode.OK),
        (5, grpc.StatusCode.NOT_FOUND),
    ],
)
@looped
async def test_codes_may_be_numbers(code: Any, expected: grpc.StatusCode) -> None:
    async with wired(with_context("unary_unary", lambda context: context.set_code(code))) as wire:
        call = wire()
        assert await call.code() is expected


@pytest.mark.stock_defect("the number of UNAUTHENTICATED is taken for UNKNOWN")
@looped
async def test_the_largest_code_may_be_a_number_too() -> None:
    async with wired(with_context("unary_unary", lambda context: context.set_code(16))) as wire:
        assert await wire().code() is grpc.StatusCode.UNAUTHENTICATED


@looped
async def test_details_without_a_code_do_no_harm() -> None:
    def use(context: Any) -> None:
        context.set_details("fine")

    async with wired(with_context("unary_unary", use)) as wire:
        call = wire()
        assert await call == b"request"
        # Core sends none with OK.
        assert await call.details() == ""


@arities
@looped
async def test_details_of_any_language_arrive(arity: str) -> None:
    text = "naïve: 100 %, 日本, \U0001f600\n\t"

    async with wired(
        with_context(arity, lambda context: context.abort(grpc.StatusCode.INTERNAL, text))
    ) as wire:
        assert (await failure_of(wire())).details() == text


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code.value[0]], ids=lambda c: c.name)
@looped
async def test_every_code_arrives(code: grpc.StatusCode) -> None:
    async with wired(with_context("unary_unary", lambda context: context.abort(code, "because"))) as wire:
        error = await failure_of(wire())
        assert (error.code(), error.details()) == (code, "because")


@pytest.mark.parametrize("kind", [tuple, list, lambda pairs: aio.Metadata(*pairs)])
@looped
async def test_trailing_metadata_may_be_any_collection_of_pairs(kind: Any) -> None:
    pairs = (("x-last", "1"), ("x-last", "2"))

    def use(context: Any) -> None:
        metadata = kind(pairs)
        context.set_trailing_metadata(metadata)

    async with wired(with_context("unary_unary", use)) as wire:
        call = wire()
        await call
        assert own(await call.trailing_metadata()) == list(pairs)


@pytest.mark.parametrize("metadata", ["text", {"x-key": "value"}, (("x-key",),), (1,)], ids=repr)
@looped
async def test_trailing_metadata_has_to_be_made_of_pairs(metadata: Any) -> None:
    caught: list[type] = []

    def use(context: Any) -> None:
        try:
            context.set_trailing_metadata(metadata)
        except TypeError as error:
            caught.append(type(error))

    async with wired(with_context("unary_unary", use)) as wire:
        assert await wire() == b"request"
    assert caught == [TypeError]


# ---- initial metadata


@arities
@looped
async def test_initial_metadata_is_sent_once(arity: str) -> None:
    caught: list[str] = []

    async def use(context: Any) -> None:
        await context.send_initial_metadata((("x-first", "1"),))
        try:
            await context.send_initial_metadata((("x-first", "2"),))
        except aio.UsageError as error:
            caught.append(str(error))

    async with wired(with_context(arity, use)) as wire:
        call = wire()
        await result_of(call)
        assert (await call.initial_metadata()).get_all("x-first") == ["1"]
    assert caught == ["Send initial metadata failed: already sent"]


@looped
async def test_initial_metadata_may_be_a_list() -> None:
    async with wired(
        with_context("unary_unary", lambda context: context.send_initial_metadata([("x-first", "1")]))
    ) as wire:
        call = wire()
        await call
        assert (await call.initial_metadata())["x-first"] == "1"


# ---- the end


@arities
@looped
async def test_done_callbacks_get_the_context_after_the_call(arity: str) -> None:
    seen: list[Any] = []
    contexts: list[Any] = []

    def use(context: Any) -> None:
        contexts.append(context)
        context.add_done_callback(lambda done: seen.append((done is context, done.done())))

    async with wired(with_context(arity, use)) as wire:
        await result_of(wire())
        await until(lambda: seen)
        assert seen == [(True, True)]
    contexts.clear()


@arities
@looped
async def test_a_done_callback_that_raises_is_logged_and_harms_nothing(
    arity: str, caplog: pytest.LogCaptureFixture
) -> None:
    def use(context: Any) -> None:
        context.add_done_callback(lambda _: 1 / 0)

    async with wired(with_context(arity, use)) as wire:
        assert await result_of(wire()) == b"request"
        await until(lambda: "Error in callback for method [/test.Service/Method]" in caplog.text)
        assert await result_of(wire()) == b"request"


@arities
@pytest.mark.stock_defect("#36193: cancelled() and done() are false after the client's cancel")
@looped
async def test_a_context_knows_that_its_client_has_cancelled(arity: str) -> None:
    seen: list[Any] = []
    hang = Hang()
    entered = hang.entered

    async def wait(context: Any) -> None:
        context.add_done_callback(lambda done: seen.append((done.cancelled(), done.done())))
        entered.set()
        await asyncio.Event().wait()

    async with wired(before_each(arity, wait)) as wire:
        call = wire()
        await entered.wait()
        call.cancel()
        await until(lambda: seen, 3)
    assert seen == [(True, True)]


@arities
@looped
async def test_a_handler_that_goes_on_after_its_client_left_harms_nobody(arity: str) -> None:
    finished, entered = asyncio.Event(), asyncio.Event()

    async def stubborn(context: Any) -> None:
        if dict(context.invocation_metadata()).get("x-kind") != "dead":
            return
        entered.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            context.set_code(grpc.StatusCode.INTERNAL)
            context.set_trailing_metadata((("x-last", "unheard"),))
        finished.set()

    async with wired(before_each(arity, stubborn)) as wire:
        call = wire(metadata=(("x-kind", "dead"),))
        await entered.wait()
        call.cancel()
        await asyncio.wait_for(finished.wait(), 3)
        assert await result_of(wire()) == b"request"


@looped
async def test_handlers_see_context_variables_of_their_own_task_only() -> None:
    import contextvars

    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")
    seen: list[str] = []

    async def behavior(request: bytes, context: Any) -> bytes:
        seen.append(variable.get())
        variable.set(request.decode())
        await asyncio.sleep(0.001)
        assert variable.get() == request.decode()
        return request

    async with wired(uu(behavior)) as wire:
        await asyncio.gather(*(wire(b"%d" % n) for n in range(20)))
    assert set(seen) == {"unset"}


@looped
async def test_time_remaining_counts_down() -> None:
    seen: list[float] = []

    async def use(context: Any) -> None:
        seen.append(context.time_remaining())
        await asyncio.sleep(0.1)
        seen.append(context.time_remaining())

    async with wired(with_context("unary_unary", use)) as wire:
        started = time.monotonic()
        await wire(timeout=10)
        assert 0.08 < seen[0] - seen[1] <= time.monotonic() - started + 0.02
