# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""An RPC ends, whatever ends its task: the client is answered, its slot is free again."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import grpc
import pytest
from support import Serving, aio, run, serving, until

from uvgrpc import loop_stats

pytestmark = pytest.mark.uvgrpc_only

# Seconds in which what happens at once has happened.
_SOON = 5.0

Factory = Callable[..., Any]


class _PassOn(grpc.aio.ServerInterceptor):
    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        return await continuation(handler_call_details)


async def _echo(request: bytes, context: Any) -> bytes:
    return request


async def _wait(request: Any, context: Any) -> bytes:
    await asyncio.Event().wait()
    return b""


async def _generate(request: Any, context: Any) -> AsyncIterator[bytes]:
    yield b"first"
    await asyncio.Event().wait()


async def _write(request: Any, context: Any) -> None:
    await context.write(b"first")
    await asyncio.Event().wait()


async def _read(requests: Any, context: Any) -> bytes:
    async for _request in requests:
        pass
    return b"done"


async def _read_write(requests: Any, context: Any) -> None:
    while await context.read() is not aio.EOF:
        await context.write(b"")


KINDS: dict[str, grpc.RpcMethodHandler] = {
    "coroutine": grpc.unary_unary_rpc_method_handler(_wait),
    "generator": grpc.unary_stream_rpc_method_handler(_generate),
    "writer": grpc.unary_stream_rpc_method_handler(_write),
    "reader": grpc.stream_unary_rpc_method_handler(_read),
    "both": grpc.stream_stream_rpc_method_handler(_read_write),
    "both generator": grpc.stream_stream_rpc_method_handler(_generate),
}
ROUTES = ["registered", "generic", "intercepted"]


@contextlib.asynccontextmanager
async def _limited(route: str, limit: int | None = 1, **handlers: Any) -> AsyncIterator[Serving]:
    """A server that serves `limit` RPCs at a time, of the service t."""
    interceptors = [_PassOn()] if route == "intercepted" else []
    async with serving(maximum_concurrent_rpcs=limit, interceptors=interceptors) as running:
        # serving() has started it: another one, whose methods core knows.
        server = aio.server(maximum_concurrent_rpcs=limit, interceptors=interceptors)
        methods = {"Echo": grpc.unary_unary_rpc_method_handler(_echo), **handlers}
        if route == "registered":
            server.add_registered_method_handlers("t", methods)
        else:
            server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("t", methods)])
        running.port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            yield running
        finally:
            await server.stop(None)


def _call(channel: Any, handler: grpc.RpcMethodHandler) -> Any:
    """A call of t/M, whose stream of requests stays open if it has one."""
    if handler.request_streaming:
        if handler.response_streaming:
            return channel.stream_stream("/t/M")()
        return channel.stream_unary("/t/M")()
    if handler.response_streaming:
        return channel.unary_stream("/t/M")(b"x")
    return channel.unary_unary("/t/M")(b"x")


def _tasks_of_server() -> list[asyncio.Task[Any]]:
    return [task for task in asyncio.all_tasks() if task.get_name() == "/t/M"]


async def _the_task() -> asyncio.Task[Any]:
    await until(_tasks_of_server)
    return _tasks_of_server()[0]


async def _serves_on(channel: Any) -> None:
    """The slot of the RPC before is free, or is in a moment."""
    echo = channel.unary_unary("/t/Echo")
    assert await echo(b"x", timeout=_SOON) == b"x"


async def _code(call: Any) -> Any:
    async with asyncio.timeout(_SOON):
        if hasattr(call, "read"):
            # The status comes behind what was sent before.
            with contextlib.suppress(grpc.RpcError):
                while await call.read() is not aio.EOF:
                    pass
        return await call.code()


async def _floor() -> None:
    """Nothing is under way but the servers and the channel of a test."""

    def at_floor() -> bool:
        gc.collect()
        return loop_stats().residents == 3

    await until(at_floor, 5)


# ---- cancelled


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_task_cancelled_before_its_first_step_answers_cancelled(kind: str, route: str) -> None:
    async def main() -> None:
        async with (
            _limited(route, M=KINDS[kind]) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            cancelled = 0

            def cancel_new() -> None:
                nonlocal cancelled
                for task in _tasks_of_server():
                    # It was made in this turn: the entry of its first step is behind us.
                    cancelled += task.get_stack() == [] and task.cancel()
                if not cancelled:
                    asyncio.get_running_loop().call_soon(cancel_new)

            call = _call(channel, KINDS[kind])
            cancel_new()
            assert await _code(call) is grpc.StatusCode.CANCELLED
            assert cancelled == 1
            await _serves_on(channel)
            del call
            await _floor()

    run(main(), limit=3 * _SOON)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_task_that_user_code_cancels_answers_cancelled(kind: str, route: str) -> None:
    async def main() -> None:
        async with (
            _limited(route, M=KINDS[kind]) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            call = _call(channel, KINDS[kind])
            await asyncio.sleep(0.02)
            (await _the_task()).cancel()
            assert await _code(call) is grpc.StatusCode.CANCELLED
            await _serves_on(channel)
            del call
            await _floor()

    run(main(), limit=3 * _SOON)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_client_that_goes_frees_the_slot(kind: str, route: str) -> None:
    async def main() -> None:
        async with (
            _limited(route, M=KINDS[kind]) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            call = _call(channel, KINDS[kind])
            await _the_task()
            call.cancel()
            await until(lambda: not _tasks_of_server())
            await _serves_on(channel)
            del call
            await _floor()

    run(main(), limit=3 * _SOON)


@pytest.mark.parametrize("kind", KINDS)
def test_stop_ends_every_kind_of_handler(kind: str) -> None:
    async def main() -> None:
        server = aio.server()
        server.add_registered_method_handlers("t", {"M": KINDS[kind]})
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            calls = [_call(channel, KINDS[kind]) for _ in range(5)]
            await until(lambda: len(_tasks_of_server()) == 5)
            await server.stop(None)
            assert {await _code(call) for call in calls} == {grpc.StatusCode.UNAVAILABLE}
            await until(lambda: not _tasks_of_server())

    run(main(), limit=3 * _SOON)


def test_a_handler_that_swallows_its_cancellation_holds_its_slot_to_its_end_only() -> None:
    over = asyncio.Event()

    async def stubborn(request: bytes, context: Any) -> bytes:
        while not over.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await over.wait()
        return b"too late"

    async def main() -> None:
        async with (
            _limited("registered", M=grpc.unary_unary_rpc_method_handler(stubborn)) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            call = channel.unary_unary("/t/M")(b"x")
            await _the_task()
            call.cancel()
            await asyncio.sleep(0.05)
            refused = channel.unary_unary("/t/Echo")(b"x")
            assert await _code(refused) is grpc.StatusCode.RESOURCE_EXHAUSTED
            over.set()
            await until(lambda: not _tasks_of_server())
            await _serves_on(channel)

    run(main(), limit=3 * _SOON)


def test_a_handler_that_ends_after_stop_is_let_be() -> None:
    async def late(request: bytes, context: Any) -> bytes:
        context.add_done_callback(lambda _context: ended.append("callback"))
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        await asyncio.sleep(0.05)
        ended.append("handler")
        return b"too late"

    ended: list[str] = []

    async def main() -> None:
        server = aio.server()
        server.add_registered_method_handlers("t", {"M": grpc.unary_unary_rpc_method_handler(late)})
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = channel.unary_unary("/t/M")(b"x")
            await _the_task()
            await server.stop(None)
            assert await _code(call) is grpc.StatusCode.UNAVAILABLE
            await until(lambda: len(ended) == 2)
            assert ended == ["handler", "callback"]

    run(main(), limit=3 * _SOON)


def test_a_generator_that_waits_in_its_finally_comes_to_its_end() -> None:
    ended: list[str] = []

    async def generate(request: bytes, context: Any) -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x"
                await asyncio.sleep(0.001)
        finally:
            await asyncio.sleep(0.02)
            ended.append("finally")

    async def main() -> None:
        async with (
            _limited("registered", M=grpc.unary_stream_rpc_method_handler(generate)) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            call = channel.unary_stream("/t/M")(b"x")
            assert await call.read() == b"x"
            call.cancel()
            await until(lambda: ended)
            await _serves_on(channel)

    run(main(), limit=3 * _SOON)


# ---- what makes the task


@contextlib.contextmanager
def _factory(factory: Factory) -> Any:
    """`factory(coro, **options)` makes the tasks of handlers of t/M."""
    loop = asyncio.get_running_loop()

    def make(loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **options: Any) -> Any:
        if type(coro).__name__ != "_Serving" or getattr(coro, "__name__", "") != "/t/M":
            return asyncio.Task(coro, loop=loop, **options)
        return factory(coro, loop=loop, **options)

    set_task_factory: Any = loop.set_task_factory
    set_task_factory(make)
    try:
        yield
    finally:
        loop.set_task_factory(None)


def _raises(coro: Any, **options: Any) -> Any:
    raise LookupError("no task today")


def _drops(coro: Any, **options: Any) -> Any:
    return None


def _closes(coro: Any, **options: Any) -> Any:
    coro.close()
    return object()


def _closes_midway(coro: Any, **options: Any) -> Any:
    with contextlib.suppress(StopIteration):
        coro.send(None)
        coro.close()


def _throws(coro: Any, **options: Any) -> Any:
    with contextlib.suppress(LookupError):
        coro.throw(LookupError("not run"))


def _exits(coro: Any, **options: Any) -> Any:
    with contextlib.suppress(GeneratorExit):
        coro.throw(GeneratorExit)


_KEPT: list[Any] = []


def _raises_and_keeps(coro: Any, **options: Any) -> Any:
    _KEPT.append(coro)
    raise LookupError("no task today")


def _forgotten_in_a_cycle(coro: Any, **options: Any) -> Any:
    cycle: list[Any] = [coro]
    cycle.append(cycle)


def _forgotten_midway_in_a_cycle(coro: Any, **options: Any) -> Any:
    coro.send(None)
    _forgotten_in_a_cycle(coro)


FACTORIES = [
    _raises,
    _raises_and_keeps,
    _drops,
    _closes,
    _closes_midway,
    _throws,
    _exits,
    _forgotten_in_a_cycle,
    _forgotten_midway_in_a_cycle,
]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("factory", FACTORIES)
def test_an_rpc_whose_task_is_not_run_is_answered(factory: Factory, route: str) -> None:
    async def main() -> None:
        async with (
            _limited(route, M=KINDS["coroutine"]) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            with _factory(factory):
                call = channel.unary_unary("/t/M")(b"x")
                if factory in (_forgotten_in_a_cycle, _forgotten_midway_in_a_cycle):
                    await asyncio.sleep(0.05)
                    gc.collect()
                assert await _code(call) is grpc.StatusCode.INTERNAL
                await _serves_on(channel)
            del call
            _KEPT.clear()
            await _floor()

    run(main(), limit=3 * _SOON)


def test_an_rpc_whose_task_another_thread_collects_is_answered() -> None:
    async def main() -> None:
        async with (
            _limited("registered", M=KINDS["coroutine"]) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            with _factory(_forgotten_midway_in_a_cycle):
                gc.disable()
                try:
                    call = channel.unary_unary("/t/M")(b"x")
                    await asyncio.sleep(0.05)
                    thread = threading.Thread(target=gc.collect)
                    thread.start()
                    await until(lambda: not thread.is_alive())
                    thread.join()
                finally:
                    gc.enable()
                assert await _code(call) is grpc.StatusCode.INTERNAL
                await _serves_on(channel)
            del call
            await _floor()

    run(main(), limit=3 * _SOON)


class _Like:
    """A task to look at, which can do no more than run."""

    def __init__(self, coro: Any, **options: Any) -> None:
        self._task = asyncio.Task(coro, **options)
        self._task.set_name("/t/M")


@pytest.mark.parametrize("route", ROUTES)
def test_a_factory_may_return_what_is_no_task(route: str, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with (
            _limited(route, M=KINDS["coroutine"], N=KINDS["coroutine"]) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            with _factory(_Like):
                call = channel.unary_unary("/t/M")(b"x")
                task = await _the_task()
                call.cancel()
                await asyncio.sleep(0.05)
                # It cannot be cancelled through what the factory gave.
                assert not task.done()
                task.cancel()
                await _serves_on(channel)
            del call, task
            await _floor()

    run(main(), limit=3 * _SOON)


def test_a_coroutine_that_a_factory_wraps_is_served() -> None:
    async def wrap(coro: Any) -> Any:
        return await coro

    async def answer(request: bytes, context: Any) -> bytes:
        await asyncio.sleep(0)
        return b"wrapped"

    async def main() -> None:
        async with (
            _limited("registered", M=grpc.unary_unary_rpc_method_handler(answer)) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            with _factory(lambda coro, **options: asyncio.Task(wrap(coro), **options)):
                assert await channel.unary_unary("/t/M")(b"x") == b"wrapped"
                await _serves_on(channel)

    run(main(), limit=3 * _SOON)


def test_a_factory_may_run_the_handler_at_once() -> None:
    class Eager(asyncio.Future[Any]):
        """As a task that starts eagerly, of a coroutine that does not suspend."""

        def __init__(self, coro: Any, *, loop: asyncio.AbstractEventLoop, **options: Any) -> None:
            super().__init__(loop=loop)
            try:
                coro.send(None)
            except StopIteration as stop:
                self.set_result(stop.value)

    async def main() -> None:
        async with (
            _limited("registered", M=grpc.unary_unary_rpc_method_handler(_echo)) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            with _factory(Eager):
                for _ in range(10):
                    assert await channel.unary_unary("/t/M")(b"x") == b"x"
            await _floor()

    run(main(), limit=3 * _SOON)
