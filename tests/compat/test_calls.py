# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What calls of all four arities have in common."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import Any

import grpc
import pytest
from rig import (
    Hang,
    arities,
    before_each,
    echo_of,
    failure_of,
    looped,
    own,
    result_of,
    unary_responses,
    uu,
    wired,
)
from support import aio, in_time, until, unused_port


def aborting(arity: str, code: Any = grpc.StatusCode.NOT_FOUND, details: str = "where?") -> Any:
    async def abort(context: Any) -> None:
        await context.abort(code, details, (("x-last", "yes"),))

    return before_each(arity, abort)


# ---- outcomes


@arities
@looped
async def test_a_call_that_succeeds(arity: str) -> None:
    async with wired(echo_of(arity)) as wire:
        call = wire()
        assert not call.done()
        assert not call.cancelled()
        assert await result_of(call) == b"request"
        assert await call.code() is grpc.StatusCode.OK
        assert await call.details() == ""
        assert not await call.debug_error_string()
        assert isinstance(await call.initial_metadata(), aio.Metadata)
        assert isinstance(await call.trailing_metadata(), aio.Metadata)
        assert call.done()
        assert not call.cancelled()
        assert call.cancel() is False


@arities
@looped
async def test_a_call_that_fails(arity: str) -> None:
    async with wired(aborting(arity)) as wire:
        call = wire()
        error = await failure_of(call)
        assert error.code() is grpc.StatusCode.NOT_FOUND
        assert error.details() == "where?"
        assert own(error.trailing_metadata()) == [("x-last", "yes")]
        assert isinstance(error.initial_metadata(), aio.Metadata)
        assert "where?" in error.debug_error_string()
        assert await call.code() is grpc.StatusCode.NOT_FOUND
        assert await call.details() == "where?"
        assert own(await call.trailing_metadata()) == [("x-last", "yes")]
        assert "where?" in await call.debug_error_string()
        assert call.done()
        assert not call.cancelled()


@arities
@looped
async def test_accessors_wait_for_the_outcome_and_never_raise_for_it(arity: str) -> None:
    async with wired(aborting(arity)) as wire:
        call = wire()
        outcome = await asyncio.gather(
            call.code(), call.details(), call.trailing_metadata(), call.initial_metadata()
        )
        assert outcome[:2] == [grpc.StatusCode.NOT_FOUND, "where?"]
        assert own(outcome[2]) == [("x-last", "yes")]


@unary_responses
@looped
async def test_a_unary_response_may_be_awaited_many_times(arity: str) -> None:
    async with wired(echo_of(arity)) as wire:
        call = wire()
        assert [await call, await call] == [b"request", b"request"]
        assert await asyncio.gather(call, asyncio.ensure_future(call)) == [b"request", b"request"]


@unary_responses
@looped
async def test_a_failure_is_raised_at_every_await(arity: str) -> None:
    async with wired(aborting(arity)) as wire:
        call = wire()
        errors = [await failure_of(call) for _ in range(3)]
        assert {error.code() for error in errors} == {grpc.StatusCode.NOT_FOUND}


@arities
@looped
async def test_a_call_starts_without_being_awaited(arity: str) -> None:
    entered = asyncio.Event()

    async def enter(_context: Any) -> None:
        entered.set()

    async with wired(before_each(arity, enter)) as wire:
        call = wire()
        await asyncio.wait_for(entered.wait(), 5)
        await result_of(call)


@arities
@looped
async def test_a_failure_that_nobody_awaits_is_not_logged(
    arity: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with wired(aborting(arity)) as wire:
        call = wire()
        await call.code()
        del call
        gc.collect()
        await asyncio.sleep(0.01)
    assert [record for record in caplog.records if record.name == "asyncio"] == []


@arities
@looped
async def test_a_method_that_does_not_exist(arity: str) -> None:
    async with wired() as wire:
        method = getattr(wire.channel, arity)("/test.Service/Nothing")
        call = method(iter([b"x"]) if arity.startswith("stream") else b"x")
        error = await failure_of(call)
        assert error.code() is grpc.StatusCode.UNIMPLEMENTED
        assert error.details() == "Method not found!"


@arities
@looped
async def test_a_server_that_is_not_there(arity: str) -> None:
    async with aio.insecure_channel(f"127.0.0.1:{unused_port()}") as channel:
        method = getattr(channel, arity)("/test.Service/Method")
        call = method(iter([b"x"]) if arity.startswith("stream") else b"x")
        error = await failure_of(call)
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert error.details().startswith("failed to connect to all addresses")


@arities
@looped
async def test_the_text_of_a_call_tells_its_status(arity: str) -> None:
    async with wired(aborting(arity)) as wire:
        call = wire()
        assert repr(call).endswith("Call object>")
        await call.code()
        assert "of RPC that terminated with:\n\tstatus = " in repr(call)
        assert "StatusCode.NOT_FOUND" in repr(call)
        assert "where?" in str(call)
        assert "debug_error_string" in str(call)
    async with wired(echo_of(arity)) as wire:
        call = wire()
        await result_of(call)
        await call.code()
        assert "StatusCode.OK" in repr(call)


@pytest.mark.stock_defect("the text of a call has its status and details exchanged")
@looped
async def test_the_text_of_a_call_has_the_status_where_it_says_so() -> None:
    async with wired(aborting("unary_unary")) as wire:
        call = wire()
        await call.code()
        assert '\tstatus = StatusCode.NOT_FOUND\n\tdetails = "where?"\n' in repr(call)


# ---- callbacks


@arities
@looped
async def test_done_callbacks_get_the_call_once(arity: str) -> None:
    async with wired(echo_of(arity)) as wire:
        call = wire()
        seen: list[Any] = []
        for _ in range(2):
            call.add_done_callback(seen.append)
            call.add_done_callback(lambda done: seen.append(done.done()))
        await result_of(call)
        await until(lambda: len(seen) == 4)
        assert seen == [call, True, call, True]
        call.add_done_callback(seen.append)
        await until(lambda: len(seen) == 5)
        assert seen[4] is call


@arities
@looped
async def test_done_callbacks_come_for_failures_and_for_cancels(arity: str) -> None:
    async with wired(aborting(arity)) as wire:
        call = wire()
        seen: list[Any] = []
        call.add_done_callback(lambda _: seen.append("failed"))
        await call.code()
        await until(lambda: seen == ["failed"])
    hang = Hang()
    async with wired(hang.of(arity)) as wire:
        call = wire()
        call.add_done_callback(lambda done: seen.append(done.cancelled()))
        await hang.entered.wait()
        call.cancel()
        await until(lambda: seen == ["failed", True])
        del call


# ---- deadlines


@arities
@looped
async def test_a_timeout_ends_the_call_and_its_handler(arity: str) -> None:
    hang = Hang()
    async with wired(hang.of(arity)) as wire:
        started = time.monotonic()
        call = wire(timeout=0.15)
        assert 0 < call.time_remaining() <= 0.15
        error = await failure_of(call)
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert error.details() == "Deadline Exceeded"
        assert time.monotonic() - started >= 0.14
        in_time(started, 3)
        assert not call.cancelled()
        assert call.time_remaining() == 0
        await asyncio.wait_for(hang.left.wait(), 3)


@arities
@looped
async def test_without_a_timeout_no_time_is_told(arity: str) -> None:
    left: list[Any] = []

    async def ask(context: Any) -> None:
        left.append(context.time_remaining())

    async with wired(before_each(arity, ask)) as wire:
        call = wire()
        assert call.time_remaining() is None
        await result_of(call)
        call = wire(timeout=50)
        await result_of(call)
        assert left[0] is None
        assert 45 < left[1] <= 51


@arities
@pytest.mark.parametrize("timeout", [0, -1, 0.0])
@looped
async def test_a_timeout_that_is_over_fails_at_once(arity: str, timeout: float) -> None:
    async with wired(Hang().of(arity)) as wire:
        await wire.channel.channel_ready()
        started = time.monotonic()
        call = wire(timeout=timeout)
        assert call.time_remaining() == 0
        assert (await failure_of(call)).code() is grpc.StatusCode.DEADLINE_EXCEEDED
        in_time(started, 2)


@looped
async def test_very_long_timeouts_are_no_timeouts() -> None:
    async with wired(echo_of("unary_unary")) as wire:
        for timeout in (10**7, 10**9):
            assert await wire(timeout=timeout) == b"request"


# ---- waiting for a connection


@arities
@looped
async def test_wait_for_ready_waits_for_a_server(arity: str) -> None:
    port = unused_port()
    options = (("grpc.initial_reconnect_backoff_ms", 100), ("grpc.min_reconnect_backoff_ms", 100))
    async with aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        method = getattr(channel, arity)("/test.Service/Method")
        request = [b"x"] if arity.startswith("stream") else b"x"
        # Fails while nobody is there, unless told to wait.
        assert (await failure_of(method(request, wait_for_ready=False))).code() is (
            grpc.StatusCode.UNAVAILABLE
        )
        call = method(request, wait_for_ready=True)
        await asyncio.sleep(0.02)
        assert not call.done()
        server = aio.server()
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("test.Service", {"Method": echo_of(arity)}),)
        )
        server.add_insecure_port(f"127.0.0.1:{port}")
        await server.start()
        assert await result_of(call) == b"x"
        await server.stop(None)


@arities
@looped
async def test_wait_for_connection_returns_once_the_call_is_under_way(arity: str) -> None:
    """google-api-core awaits it on every stream."""
    async with wired(echo_of(arity)) as wire:
        call = wire()
        await asyncio.wait_for(call.wait_for_connection(), 5)
        assert await result_of(call) == b"request"


@arities
@looped
async def test_wait_for_connection_raises_when_the_call_fails(arity: str) -> None:
    async with aio.insecure_channel(f"127.0.0.1:{unused_port()}") as channel:
        method = getattr(channel, arity)("/test.Service/Method")
        call = method() if arity.startswith("stream") else method(b"")
        with pytest.raises(aio.AioRpcError) as caught:
            await call.wait_for_connection()
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


# ---- metadata


@arities
@looped
async def test_metadata_goes_both_ways(arity: str) -> None:
    seen: list[tuple[str, Any]] = []
    pairs = (("x-text", "value"), ("x-data-bin", b"\x00\xff\x01"), ("x-text", "again"), ("x-empty", ""))

    async def reflect(context: Any) -> None:
        seen.extend(own(context.invocation_metadata()))
        await context.send_initial_metadata((("x-first", "1"), ("x-first-bin", b"\x00")))
        context.set_trailing_metadata((("x-last", "2"), ("x-last", "3"), ("x-last-bin", b"\xfe")))

    async with wired(before_each(arity, reflect)) as wire:
        for metadata in (pairs, list(pairs), aio.Metadata(*pairs)):
            seen.clear()
            call = wire(metadata=metadata)
            await result_of(call)
            assert sorted(seen) == sorted(pairs)
            assert [value for key, value in seen if key == "x-text"] == ["value", "again"]
            initial, trailing = await call.initial_metadata(), await call.trailing_metadata()
            assert initial["x-first"] == "1"
            assert initial["x-first-bin"] == b"\x00"
            assert trailing.get_all("x-last") == ["2", "3"]
            assert trailing["x-last-bin"] == b"\xfe"


@arities
@pytest.mark.parametrize("metadata", [None, (), [], {}])
@looped
async def test_empty_metadata_is_none(arity: str, metadata: Any) -> None:
    async with wired(echo_of(arity)) as wire:
        assert await result_of(wire(metadata=metadata)) == b"request"


@looped
async def test_metadata_is_not_changed_by_a_call() -> None:
    async with wired(echo_of("unary_unary")) as wire:
        metadata = aio.Metadata(("x-key", "value"))
        await wire(metadata=metadata, compression=grpc.Compression.Gzip)
        assert list(metadata) == [("x-key", "value")]


@looped
async def test_what_handlers_are_told_is_a_tuple_of_named_pairs() -> None:
    """sentry-sdk makes a dict of it, others use the names."""
    seen: list[Any] = []

    async def look(request: bytes, context: Any) -> bytes:
        seen.append(context.invocation_metadata())
        return b""

    async with wired(uu(look)) as wire:
        await wire(metadata=(("x-key", "value"),))
    (metadata,) = seen
    assert type(metadata) is tuple
    assert dict(metadata)["x-key"] == "value"
    (pair,) = (pair for pair in metadata if pair[0] == "x-key")
    assert (pair.key, pair.value) == ("x-key", "value")
    assert tuple(pair) == ("x-key", "value")
