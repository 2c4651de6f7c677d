# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Channels, servers and calls with interceptors, used in threads that do not run their loop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
import uvloop
from support import Passing, aio, echo, no_residents, run, service, serving

from uvgrpc import loop_stats

pytestmark = pytest.mark.uvgrpc_only

METHOD = "/test.Service/Method"
ARITIES = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
HOW = r"call_soon_threadsafe"


async def in_thread(function: Callable[[], Any]) -> Any:
    """What a thread without a loop makes of a function."""
    return await asyncio.to_thread(function)


async def on_loop_of_a_thread(make: Callable[[], Any], factory: Any = uvloop.new_event_loop) -> Any:
    """What a loop in another thread makes of a coroutine."""

    def work() -> Any:
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(_as_coroutine(make))

    return await asyncio.to_thread(work)


async def _as_coroutine(make: Callable[[], Any]) -> Any:
    result = make()
    return await result if hasattr(result, "__await__") else result


async def never(request: bytes, context: Any) -> bytes:
    await asyncio.Event().wait()
    return b""


async def follow(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
    async for request in requests:
        yield request


SERVICE = service(Method=echo, Never=never, Follow=grpc.stream_stream_rpc_method_handler(follow))


@contextlib.asynccontextmanager
async def channel_with(*interceptors: Any) -> AsyncIterator[Any]:
    async with (
        serving(SERVICE) as running,
        aio.insecure_channel(running.target, interceptors=interceptors) as channel,
    ):
        await channel.channel_ready()
        yield channel


# ---- mistakes, which are told


@pytest.mark.parametrize("elsewhere", [in_thread, on_loop_of_a_thread])
@pytest.mark.parametrize("interceptors", [(), (Passing(),)], ids=["plain", "intercepted"])
@pytest.mark.parametrize("arity", ARITIES)
def test_a_call_made_in_another_thread(arity: str, interceptors: Any, elsewhere: Any) -> None:
    async def main() -> None:
        async with channel_with(*interceptors) as channel:
            method = getattr(channel, arity)(METHOD)
            before = loop_stats().residents
            for request in (b"x",) if arity.startswith("unary") else (None, iter([b"x"])):
                with pytest.raises(RuntimeError, match=HOW):
                    await elsewhere(lambda request=request: method(request))
            assert loop_stats().residents == before
            assert await channel.unary_unary(METHOD)(b"x") == b"x"

    run(main())


@pytest.mark.parametrize(
    "use",
    [
        lambda channel: channel.close(),
        lambda channel: channel.close(grace=1),
        lambda channel: channel.channel_ready(),
        lambda channel: channel.wait_for_state_change(grpc.ChannelConnectivity.IDLE),
        lambda channel: channel.__aexit__(None, None, None),
    ],
)
def test_a_channel_awaited_in_another_thread(use: Any) -> None:
    async def main() -> None:
        async with serving(SERVICE) as running, aio.insecure_channel(running.target) as channel:
            with pytest.raises(RuntimeError, match=HOW):
                await on_loop_of_a_thread(lambda: use(channel))
            # And it goes on.
            assert await channel.unary_unary(METHOD)(b"x") == b"x"

    run(main())


@pytest.mark.parametrize("factory", [uvloop.new_event_loop, asyncio.new_event_loop])
@pytest.mark.parametrize("started", [False, True])
@pytest.mark.parametrize(
    "use",
    [
        lambda server: server.start(),
        lambda server: server.stop(None),
        lambda server: server.wait_for_termination(),
        lambda server: server.wait_for_termination(0.1),
        lambda server: server.add_insecure_port("127.0.0.1:0"),
    ],
)
def test_a_server_used_in_another_thread(use: Any, started: bool, factory: Any) -> None:
    async def main() -> None:
        server = aio.server(handlers=[SERVICE])
        port = server.add_insecure_port("127.0.0.1:0")
        if started:
            await server.start()
        with pytest.raises(RuntimeError, match=HOW):
            await on_loop_of_a_thread(lambda: use(server), factory)
        await server.start()
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            assert await channel.unary_unary(METHOD)(b"x") == b"x"
        await server.stop(None)

    run(main())


@pytest.mark.parametrize(
    "use",
    [
        lambda call: call.write(b"x"),
        lambda call: call.done_writing(),
        lambda call: call.read(),
        lambda call: anext(aiter(call)),
        lambda call: call.code(),
        lambda call: call.initial_metadata(),
    ],
)
def test_an_intercepted_call_used_in_another_thread(use: Any) -> None:
    async def main() -> None:
        async with channel_with(Passing()) as channel:
            call = channel.stream_stream("/test.Service/Follow")()
            await call.write(b"first")
            with pytest.raises(RuntimeError, match=HOW):
                await on_loop_of_a_thread(lambda: use(call))
            # And the call goes on.
            await call.write(b"second")
            await call.done_writing()
            assert [message async for message in call] == [b"first", b"second"]

    run(main())


def test_an_intercepted_call_awaited_in_another_thread() -> None:
    async def main() -> None:
        async with channel_with(Passing()) as channel:
            call = channel.unary_unary(METHOD)(b"x")
            with pytest.raises(RuntimeError, match=HOW):
                await on_loop_of_a_thread(lambda: call)
            assert await call == b"x"

    run(main())


def test_a_server_made_while_its_threads_loop_runs_in_another_one_waits_for_start() -> None:
    loop = uvloop.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    asyncio.set_event_loop(loop)
    try:
        thread.start()
        while not loop.is_running():
            time.sleep(0.001)
        server = aio.server(handlers=[SERVICE])
        port = server.add_insecure_port("127.0.0.1:0")
        channel = aio.insecure_channel(f"127.0.0.1:{port}")
        with pytest.raises(RuntimeError, match=HOW):
            channel.unary_unary(METHOD)(b"x")

        async def main() -> None:
            await server.start()
            assert await channel.unary_unary(METHOD)(b"x") == b"x"
            await channel.close()
            await server.stop(None)

        asyncio.run_coroutine_threadsafe(main(), loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        asyncio.set_event_loop(None)
        loop.close()


# ---- what any thread may do


def test_get_state_in_any_thread() -> None:
    State = grpc.ChannelConnectivity

    async def main() -> None:
        async with serving(SERVICE) as running, aio.insecure_channel(running.target) as channel:
            for elsewhere in (in_thread, on_loop_of_a_thread):
                assert await elsewhere(channel.get_state) is State.IDLE

            def connect() -> None:
                while channel.get_state(try_to_connect=True) is not State.READY:
                    time.sleep(0.01)

            await in_thread(connect)
            assert channel.get_state() is State.READY
        assert await in_thread(channel.get_state) is State.SHUTDOWN

    run(main())


def test_get_state_while_the_loop_waits_for_that_thread() -> None:
    async def main() -> None:
        async with channel_with() as channel:
            states: list[Any] = []
            thread = threading.Thread(target=lambda: states.append(channel.get_state()))
            thread.start()
            thread.join(20)
            assert states == [grpc.ChannelConnectivity.READY]

    run(main())


@pytest.mark.parametrize("elsewhere", [in_thread, on_loop_of_a_thread])
def test_an_intercepted_call_is_cancelled_in_any_thread(elsewhere: Any) -> None:
    async def main() -> None:
        async with channel_with(Passing()) as channel:
            call = channel.unary_unary("/test.Service/Never")(b"")
            done: list[Any] = []
            call.add_done_callback(lambda _: done.append(threading.current_thread()))
            await asyncio.sleep(0.05)
            assert await elsewhere(call.cancel) is True
            with pytest.raises(asyncio.CancelledError):
                await call
            assert await call.code() is grpc.StatusCode.CANCELLED
            assert done == [threading.main_thread()]
            assert await elsewhere(call.cancel) is False

    run(main())


def test_a_storm_of_cancels_leaves_the_loop_in_order() -> None:
    async def main() -> None:
        async with channel_with(Passing()) as channel:
            method, slow = channel.unary_unary(METHOD), channel.unary_unary("/test.Service/Never")
            for _ in range(20):
                doomed = [slow(b"") for _ in range(20)]
                cancels = [asyncio.to_thread(call.cancel) for call in doomed]
                answers = asyncio.gather(*[method(b"x") for _ in range(20)])
                await asyncio.gather(*cancels)
                assert await answers == [b"x"] * 20
                for call in doomed:
                    assert await call.code() is grpc.StatusCode.CANCELLED
            del doomed, call
        gc.collect()
        await no_residents()

    run(main())


def test_an_intercepted_call_is_dropped_in_any_thread() -> None:
    async def main() -> None:
        async with channel_with(Passing()) as channel:
            box = [channel.unary_unary("/test.Service/Never")(b"")]
            await asyncio.sleep(0.05)
            await in_thread(box.clear)
            assert await channel.unary_unary(METHOD)(b"x") == b"x"

    run(main())
