# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Handlers that are not async: they run on threads, with a context that is safe there."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from support import aio, error_of, in_time, run, run_program, service, serving, until

METHOD = "/test.Service/Method"
ARITIES = ["unary_unary", "unary_stream", "stream_unary", "stream_stream"]


@contextlib.asynccontextmanager
async def channel_to(arity: str, behavior: Callable[..., Any], **options: Any) -> AsyncIterator[Any]:
    """The multi-callable of a method that a function serves on a pool of two threads."""
    handler = getattr(grpc, f"{arity}_rpc_method_handler")(behavior)
    with ThreadPoolExecutor(2) as pool:
        async with (
            serving(service(Method=handler), migration_thread_pool=pool, **options) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            yield getattr(channel, arity)(METHOD)


def single(request: bytes, context: Any) -> bytes:
    return threading.current_thread().name.encode() + request


def collecting(requests: Iterator[bytes], context: Any) -> bytes:
    return b"".join(requests)


def counting(request: bytes, context: Any) -> Iterator[bytes]:
    for i in range(int(request)):
        yield b"%d" % i


def echoing(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
    for request in requests:
        yield request.upper()


def test_all_arities_are_served() -> None:
    async def main() -> None:
        async with channel_to("unary_unary", single) as method:
            answer = await method(b"!")
            assert answer.startswith(b"ThreadPoolExecutor")
            assert answer.endswith(b"!")
        async with channel_to("unary_stream", counting) as method:
            assert [r async for r in method(b"300")] == [b"%d" % i for i in range(300)]
        async with channel_to("stream_unary", collecting) as method:
            assert await method(iter([b"a", b"b", b"c"])) == b"abc"
        async with channel_to("stream_stream", echoing) as method:
            call = method()
            for word in (b"x", b"y"):
                await call.write(word)
                assert await call.read() == word.upper()
            await call.done_writing()
            assert await call.read() is grpc.aio.EOF

    run(main())


@pytest.mark.pool_threads
def test_without_a_pool_they_run_on_the_loops_own() -> None:
    async def main() -> None:
        generic = service(Method=grpc.unary_unary_rpc_method_handler(single))
        async with serving(generic) as running, aio.insecure_channel(running.target) as channel:
            answer = await channel.unary_unary(METHOD)(b"")
            assert threading.current_thread().name.encode() not in answer
        await asyncio.get_running_loop().shutdown_default_executor()

    run(main())


@pytest.mark.parametrize("arity", ["unary_unary", "unary_stream"])
def test_the_loop_goes_on_meanwhile(arity: str) -> None:
    def handler(request: bytes, context: Any) -> Any:
        time.sleep(0.3)
        return request if arity == "unary_unary" else iter([request])

    async def main() -> None:
        async with channel_to(arity, handler) as method:
            call = method(b"x")
            outcome = asyncio.ensure_future(call if arity == "unary_unary" else call.read())
            lag = 0.0
            while not outcome.done():
                started = time.monotonic()
                await asyncio.sleep(0.005)
                lag = max(lag, time.monotonic() - started)
            assert lag < 0.2
            assert await outcome == b"x"

    run(main())


@pytest.mark.stock_defect("lacks code, details, trailing_metadata, is_active, cancel, abort_with_status")
def test_the_context_has_everything_that_grpcs_has() -> None:
    seen: dict[str, Any] = {}

    def handler(request: bytes, context: Any) -> bytes:
        assert isinstance(context, grpc.ServicerContext)
        context.send_initial_metadata((("first", "1"),))
        context.set_trailing_metadata((("last", "2"),))
        context.set_code(grpc.StatusCode.DATA_LOSS)
        context.set_details("some")
        seen.update(
            metadata=dict(context.invocation_metadata())["who"],
            peer=context.peer(),
            remaining=context.time_remaining(),
            code=context.code(),
            details=context.details(),
            trailing=context.trailing_metadata(),
            active=context.is_active(),
        )
        return b""

    async def main() -> None:
        async with channel_to("unary_unary", handler) as method:
            call = method(b"", metadata=(("who", "me"),), timeout=20)
            error = await error_of(call)
            assert error.code() is grpc.StatusCode.DATA_LOSS
            assert error.details() == "some"
            assert dict(error.initial_metadata())["first"] == "1"
            assert dict(error.trailing_metadata())["last"] == "2"
        assert seen.pop("peer").startswith("ipv4:127.0.0.1:")
        assert 10 < seen.pop("remaining") < 21  # the header rounds up
        assert seen == {
            "metadata": "me",
            "code": grpc.StatusCode.DATA_LOSS,
            "details": "some",
            "trailing": (("last", "2"),),
            "active": True,
        }

    run(main())


@pytest.mark.parametrize("arity", ARITIES)
def test_abort_ends_the_rpc_and_the_handler(arity: str) -> None:
    went_on: list[str] = []

    def handler(request: Any, context: Any) -> Any:
        context.abort(grpc.StatusCode.NOT_FOUND, "none", (("why", "so"),))
        went_on.append("yes")

    def generator(request: Any, context: Any) -> Iterator[bytes]:
        yield b"1"
        handler(request, context)

    async def main() -> None:
        streams = arity.endswith("stream")
        async with channel_to(arity, generator if streams else handler) as method:
            call = method(b"" if arity.startswith("unary") else iter([b""]))

            async def iterate() -> None:
                assert [r async for r in call] == [b"1"]

            error = await error_of(iterate() if streams else call)
            assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "none")
            assert dict(error.trailing_metadata())["why"] == "so"
        assert went_on == []

    run(main())


@pytest.mark.stock_defect("_SyncServicerContext has no abort_with_status and no cancel")
def test_abort_with_status_and_cancel() -> None:
    class Status(grpc.Status):
        code = grpc.StatusCode.OUT_OF_RANGE
        details = "far"
        trailing_metadata = ()

    def handler(request: bytes, context: Any) -> bytes:
        if request == b"cancel":
            assert context.cancel()
            assert not context.is_active()
            assert not context.cancel()
            return b""
        context.abort_with_status(Status())
        return b""

    async def main() -> None:
        async with channel_to("unary_unary", handler) as method:
            assert (await error_of(method(b"status"))).details() == "far"
            assert (await error_of(method(b"cancel"))).code() is grpc.StatusCode.CANCELLED

    run(main())


def test_an_exception_becomes_unknown(caplog: pytest.LogCaptureFixture) -> None:
    def handler(request: bytes, context: Any) -> bytes:
        raise ValueError("odd")

    async def main() -> None:
        async with channel_to("unary_unary", handler) as method:
            error = await error_of(method(b""))
            assert error.code() is grpc.StatusCode.UNKNOWN
            assert error.details() == "Unexpected <class 'ValueError'>: odd"

    run(main())


@pytest.mark.stock_defect("#37881: context variables are not seen")
@pytest.mark.parametrize("arity", ["unary_unary", "unary_stream"])
def test_context_variables_of_an_interceptor_are_seen(arity: str) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")

    class Sets(grpc.aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            variable.set(dict(details.invocation_metadata)["who"])
            return await continuation(details)

    def handler(request: bytes, context: Any) -> bytes:
        return variable.get().encode()

    def generator(request: bytes, context: Any) -> Iterator[bytes]:
        yield variable.get().encode()
        yield variable.get().encode()

    async def main() -> None:
        behavior = generator if arity.endswith("stream") else handler
        async with channel_to(arity, behavior, interceptors=[Sets()]) as method:
            for who in ("a", "b"):
                call = method(b"", metadata=(("who", who),))
                if arity.endswith("stream"):
                    assert [r async for r in call] == [who.encode()] * 2
                else:
                    assert await call == who.encode()

    run(main())


@pytest.mark.uvgrpc_only  # stock hangs for good (#28999)
@pytest.mark.parametrize("where", ["yielding", "reading"])
def test_stop_does_not_wait_for_a_generator_whose_client_has_gone(where: str) -> None:
    closed = threading.Event()

    def generator(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        try:
            while True:
                yield bytes(100_000)
                if where == "reading":
                    next(requests)
        finally:
            closed.set()

    async def main() -> None:
        started = time.monotonic()
        async with channel_to("stream_stream", generator) as method:
            call = method()
            await call.read()
            await asyncio.sleep(0.05)
            call.cancel()
            await until(closed.is_set, 2)
        in_time(started, 4)

    run(main())


@pytest.mark.uvgrpc_only  # stock hangs for good
@pytest.mark.parametrize("grace", [None, 0.05])
def test_a_pool_may_be_shut_down_right_after_the_server(grace: float | None) -> None:
    """It is waited for on the loop's thread, so its threads must not wait for the loop."""

    def generator(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        while True:
            yield bytes(100_000)

    async def main() -> None:
        generic = service(Method=grpc.stream_stream_rpc_method_handler(generator))
        with ThreadPoolExecutor(2) as pool:
            async with serving(generic, migration_thread_pool=pool, grace=grace) as running:
                channel = aio.insecure_channel(running.target)
                calls = [channel.stream_stream(METHOD)() for _ in range(2)]
                for call in calls:
                    await call.read()
        await channel.close()

    run(main())


def test_callbacks_are_called_when_the_rpc_is_over() -> None:
    called: list[str] = []

    def handler(request: bytes, context: Any) -> bytes:
        context.add_callback(lambda: called.append("over"))
        assert called == []
        return request

    async def main() -> None:
        async with channel_to("unary_unary", handler) as method:
            assert await method(b"x") == b"x"
            await until(lambda: called == ["over"])

    run(main())


@pytest.mark.uvgrpc_only
def test_a_thread_at_work_does_not_hold_up_the_end_of_the_loop() -> None:
    outcome = run_program("""
from concurrent.futures import ThreadPoolExecutor

def generator(request, context):
    while True:
        yield bytes(100_000)

async def main():
    global pool, server, channel, call
    pool = ThreadPoolExecutor(2)
    handler = grpc.unary_stream_rpc_method_handler(generator)
    server = aio.server(pool)
    server.add_generic_rpc_handlers([service(Method=handler)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channel = aio.insecure_channel(f"127.0.0.1:{port}")
    call = channel.unary_stream("/test.Service/Method")(b"")
    await call.read()
    await asyncio.sleep(0.1)

loop = uvloop.new_event_loop()
loop.run_until_complete(main())
loop.close()
started = time.monotonic()
pool.shutdown()
print(json.dumps(time.monotonic() - started))
""")
    # asyncio complains of the handler's task, which nobody cancelled.
    assert (outcome.returncode, "Exception ignored" in outcome.err) == (0, False), outcome.err
    assert json.loads(outcome.out) < 2


def test_a_plain_function_may_hand_out_a_coroutine() -> None:
    async def inner(request: bytes) -> bytes:
        await asyncio.sleep(0)
        return request + b"!"

    async def main() -> None:
        async with channel_to("unary_unary", lambda request, context: inner(request)) as method:
            assert await method(b"x") == b"x!"

    run(main())
