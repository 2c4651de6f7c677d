# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Handlers that are not async: functions and generators, run in a thread pool."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from rig import (
    ARITIES,
    Wire,
    arities,
    failure_of,
    handler,
    looped,
    own,
    result_of,
    thread_pool,
    us,
    uu,
    wired,
)
from support import aio, run_program, until


def sync(arity: str, prepare: Any = None) -> Any:
    """Echoes, after prepare(context), in functions and generators."""

    def single(request: Any, context: Any) -> bytes:
        if prepare is not None:
            prepare(context)
        return b"".join(request) if arity == "stream_unary" else request

    def many(request: Any, context: Any) -> Iterator[bytes]:
        if prepare is not None:
            prepare(context)
        yield from request if arity == "stream_stream" else [request]

    return handler(arity, single if arity.endswith("unary") else many)


@asynccontextmanager
async def pooled(method: Any, workers: int = 4, **options: Any) -> AsyncIterator[Wire]:
    with thread_pool(workers) as pool:
        async with wired(method, server_options={"migration_thread_pool": pool, **options}) as wire:
            yield wire


@arities
@looped
async def test_sync_handlers_run_in_the_pool(arity: str) -> None:
    names: list[str] = []

    def prepare(context: Any) -> None:
        names.append(threading.current_thread().name)

    async with pooled(sync(arity, prepare)) as wire:
        request = [b"a", b"b", b"c"] if arity.startswith("stream") else b"abc"
        assert await result_of(wire(request)) == b"abc"
        if arity.startswith("stream"):
            assert await result_of(wire([])) == b""
    assert names
    assert all(name.startswith("migration") for name in names)


@arities
@pytest.mark.pool_threads
@looped
async def test_without_a_pool_the_loops_own_executor_is_used(arity: str) -> None:
    threads: list[Any] = []

    def prepare(context: Any) -> None:
        threads.append(threading.current_thread())

    async with wired(sync(arity, prepare)) as wire:
        assert await result_of(wire()) == b"request"
    assert threads[0] is not threading.current_thread()
    await asyncio.get_running_loop().shutdown_default_executor()


@arities
@looped
async def test_a_blocking_handler_does_not_block_the_loop(arity: str) -> None:
    go = threading.Event()

    def prepare(context: Any) -> None:
        go.wait(5)

    async with pooled(sync(arity, prepare)) as wire:
        call = wire()
        await asyncio.sleep(0.05)
        assert not call.done()
        go.set()
        assert await result_of(call) == b"request"


@looped
async def test_sync_handlers_run_beside_each_other() -> None:
    barrier = threading.Barrier(3, timeout=5)

    def behavior(request: bytes, context: Any) -> bytes:
        barrier.wait()
        return request

    async with pooled(uu(behavior)) as wire:
        assert await asyncio.gather(*(wire(b"%d" % n) for n in range(3))) == [b"0", b"1", b"2"]


@looped
async def test_a_function_that_returns_an_iterator_is_a_generator() -> None:
    def behavior(request: bytes, context: Any) -> Iterator[bytes]:
        return iter([b"a", b"b"])

    async with pooled(us(behavior)) as wire:
        assert [message async for message in wire()] == [b"a", b"b"]


@arities
@looped
async def test_a_sync_context_describes_its_call(arity: str) -> None:
    seen: dict[str, Any] = {}

    def look(context: Any) -> None:
        seen.update(
            peer=context.peer(),
            identities=context.peer_identities(),
            identity_key=context.peer_identity_key(),
            auth=context.auth_context(),
            left=context.time_remaining(),
            metadata=own(context.invocation_metadata()),
        )

    async with pooled(sync(arity, look)) as wire:
        await result_of(wire(timeout=20, metadata=(("x-key", "value"),)))
    assert seen.pop("peer").startswith("ipv4:127.0.0.1:")
    assert 15 < seen.pop("left") <= 21
    assert isinstance(seen.pop("auth"), dict)
    assert seen == {"identities": None, "identity_key": None, "metadata": [("x-key", "value")]}


@arities
@looped
async def test_a_sync_context_sets_status_and_metadata(arity: str) -> None:
    def use(context: Any) -> None:
        context.send_initial_metadata((("x-first", "yes"),))
        context.set_trailing_metadata((("x-last", "yes"),))
        context.set_code(grpc.StatusCode.NOT_FOUND)
        context.set_details("nothing here")

    async with pooled(sync(arity, use)) as wire:
        call = wire()
        error = await failure_of(call)
        assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "nothing here")
        assert own(error.trailing_metadata()) == [("x-last", "yes")]
        assert own(await call.initial_metadata()) == [("x-first", "yes")]


@arities
@pytest.mark.stock_defect("abort() in a thread may wait for ever, once the RPC is over", strict=False)
@looped
async def test_a_sync_context_aborts(arity: str) -> None:
    raised: list[type] = []

    def use(context: Any) -> None:
        try:
            context.abort(grpc.StatusCode.NOT_FOUND, "gone", (("x-last", "yes"),))
        except Exception as error:
            raised.append(type(error))
            raise

    async with pooled(sync(arity, use)) as wire:
        error = await failure_of(wire())
        assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "gone")
        assert own(error.trailing_metadata()) == [("x-last", "yes")]
    assert raised == [aio.AbortError]


@pytest.mark.parametrize("arity", ["unary_unary", "stream_unary"])
@looped
async def test_callbacks_of_a_sync_context_are_called_after_the_handler(arity: str) -> None:
    seen: list[str] = []

    def use(context: Any) -> None:
        context.add_callback(lambda: seen.append("called"))
        assert seen == []

    async with pooled(sync(arity, use)) as wire:
        await result_of(wire())
        await until(lambda: seen == ["called"])


SYNC_ONLY = ("code", "details", "trailing_metadata", "is_active", "cancel", "abort_with_status")


@arities
@pytest.mark.stock_defect("the sync context lacks code, details, trailing_metadata, is_active, cancel")
@looped
async def test_a_sync_context_has_what_grpcs_own_context_has(arity: str) -> None:
    missing: list[str] = []

    def use(context: Any) -> None:
        missing.extend(name for name in SYNC_ONLY if not callable(getattr(context, name, None)))
        if missing:
            return
        assert context.code() is None
        assert context.is_active() is True
        context.set_code(grpc.StatusCode.OK)
        context.set_details("fine")
        context.set_trailing_metadata((("x-last", "yes"),))
        assert context.code() is grpc.StatusCode.OK
        assert context.details() == "fine"
        assert context.trailing_metadata() == (("x-last", "yes"),)

    async with pooled(sync(arity, use)) as wire:
        assert await result_of(wire()) == b"request"
    assert missing == []


@arities
@pytest.mark.stock_defect("#37881: sync handlers do not see the context variables of the RPC")
@looped
async def test_context_variables_of_an_interceptor_are_seen_in_sync_handlers(arity: str) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")
    seen: list[str] = []

    class Setting(aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            variable.set("set")
            return await continuation(details)

    def prepare(context: Any) -> None:
        seen.append(variable.get())

    async with pooled(sync(arity, prepare), interceptors=[Setting()]) as wire:
        await result_of(wire())
    assert seen == ["set"]


@arities
@looped
async def test_an_exception_of_a_sync_handler_reaches_the_client(arity: str) -> None:
    def prepare(context: Any) -> None:
        raise ValueError("the message")

    async with pooled(sync(arity, prepare)) as wire:
        error = await failure_of(wire())
        assert error.code() is grpc.StatusCode.UNKNOWN
        assert error.details() == "Unexpected <class 'ValueError'>: the message"


@looped
async def test_a_generator_that_fails_in_mid_stream() -> None:
    def behavior(request: bytes, context: Any) -> Iterator[bytes]:
        yield b"first"
        raise ValueError("second")

    async with pooled(us(behavior)) as wire:
        call = wire()
        assert await call.read() == b"first"
        with pytest.raises(aio.AioRpcError, match="second"):
            await call.read()


@looped
async def test_a_generator_that_fails_before_its_first_message() -> None:
    def behavior(request: bytes, context: Any) -> Iterator[bytes]:
        raise ValueError("at once")

    async with pooled(us(behavior)) as wire:
        assert "at once" in (await failure_of(wire())).details()


@looped
async def test_sync_and_async_handlers_live_in_one_server() -> None:
    methods = {f"Sync{arity}": sync(arity) for arity in ARITIES}

    async def behavior(request: bytes, context: Any) -> bytes:
        return b"async"

    with thread_pool(2) as pool:
        options = {"migration_thread_pool": pool}
        async with wired(uu(behavior), methods=methods, server_options=options) as wire:
            assert await wire() == b"async"
            for arity in ARITIES:
                request = [b"x"] if arity.startswith("stream") else b"x"
                assert await result_of(wire.method(f"Sync{arity}")(request)) == b"x"


# In a process of its own, for the thread that stock leaves behind.
_CANCELLED_GENERATOR = """
import asyncio, json, os, threading, time
from concurrent.futures import ThreadPoolExecutor
import uvloop
from rig import us, wired

entered, closed = threading.Event(), threading.Event()

def endless(request, context):
    try:
        while True:
            yield b"message"
            time.sleep(0.001)
    finally:
        closed.set()

async def main():
    pool = ThreadPoolExecutor(1)
    async with wired(us(endless), server_options={"migration_thread_pool": pool}) as wire:
        call = wire()
        await call.read()
        call.cancel()
        started = time.monotonic()
        await wire.server.stop(1)
        print(json.dumps(["stopped", time.monotonic() - started < 3, closed.wait(2)]), flush=True)
        os._exit(0)

threading.Timer(6, os._exit, [1]).start()
uvloop.run(main())
"""


@pytest.mark.stock_defect("#28999: a sync generator whose client has left is never closed")
def test_stop_returns_though_a_sync_generator_was_cancelled() -> None:
    """H9."""
    outcome = run_program(_CANCELLED_GENERATOR, limit=20)
    assert outcome.result == ["stopped", True, True]


@pytest.mark.stock_defect("the thread may wait for ever", strict=False)
@looped
async def test_a_sync_handler_that_waits_for_requests_ends_when_its_client_leaves() -> None:
    entered, left = threading.Event(), threading.Event()

    def behavior(requests: Any, context: Any) -> bytes:
        entered.set()
        try:
            return b"".join(requests)
        finally:
            left.set()

    async with pooled(handler("stream_unary", behavior)) as wire:
        call = wire.method()()
        await call.write(b"first")
        await until(entered.is_set)
        call.cancel()
        await until(left.is_set, 4)
