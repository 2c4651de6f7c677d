# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What is used on another thread than its loop's: an error that says what to do, or it works."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
import uvloop
from support import aio, run, service, serving, until

pytestmark = pytest.mark.uvgrpc_only

ADVICE = r"call_soon_threadsafe\(\).*run_coroutine_threadsafe\(\)"


async def _unary_unary(request: bytes, _context: Any) -> bytes:
    return request


async def _unary_stream(request: bytes, _context: Any) -> AsyncIterator[bytes]:
    yield request


async def _stream_unary(requests: AsyncIterator[bytes], _context: Any) -> bytes:
    return b"".join([request async for request in requests])


async def _stream_stream(requests: AsyncIterator[bytes], _context: Any) -> AsyncIterator[bytes]:
    async for request in requests:
        yield request


SERVICE = service(
    unary_unary=_unary_unary,
    unary_stream=grpc.unary_stream_rpc_method_handler(_unary_stream),
    stream_unary=grpc.stream_unary_rpc_method_handler(_stream_unary),
    stream_stream=grpc.stream_stream_rpc_method_handler(_stream_stream),
)
ARITIES = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")


def multi_callable(channel: Any, arity: str) -> Any:
    return getattr(channel, arity)(f"/test.Service/{arity}")


# ---- where the mistake is made


def without_loop(mistake: Callable[[], Any]) -> Any:
    """On a thread that has no loop. A coroutine takes its first step there."""
    result = mistake()
    if not asyncio.iscoroutine(result) and not hasattr(result, "__await__"):
        return result
    steps = result.__await__()
    try:
        next(steps)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits on a thread that has no loop")


def _on(new_event_loop: Callable[[], asyncio.AbstractEventLoop]) -> Callable[[Callable[[], Any]], Any]:
    def on_loop(mistake: Callable[[], Any]) -> Any:
        async def main() -> Any:
            result = mistake()
            return await result if hasattr(result, "__await__") else result

        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            return runner.run(main())

    return on_loop


PLACES = {
    "no_loop": without_loop,
    "uvloop": _on(uvloop.new_event_loop),
    "asyncio": _on(asyncio.new_event_loop),
}


@pytest.fixture(params=list(PLACES))
def elsewhere(request: pytest.FixtureRequest) -> Callable[[Callable[[], Any]], Any]:
    """Runs a function on another thread, of some kind; what it does there is the coroutine's result."""

    async def start(mistake: Callable[[], Any]) -> Any:
        return await asyncio.to_thread(PLACES[request.param], mistake)

    return start


@pytest.fixture(params=ARITIES)
def arity(request: pytest.FixtureRequest) -> str:
    arity: str = request.param
    return arity


async def goes_on(channel: Any) -> None:
    """Checks that the loop's calls are none the worse."""
    for arity in ARITIES:
        method = multi_callable(channel, arity)
        request = iter([b"x"]) if arity.startswith("stream") else b"x"
        if arity.endswith("stream"):
            assert [message async for message in method(request)] == [b"x"]
        else:
            assert await method(request) == b"x"


def mistaken() -> Any:
    """The error: RuntimeError, or UsageError where another loop runs. The last is for asyncio's."""
    return pytest.raises(
        (RuntimeError, grpc.aio.UsageError),
        match=rf"{ADVICE}|belongs to another event loop|needs uvloop's event loop",
    )


# ---- mistakes


def test_a_stub_is_called(elsewhere: Any, arity: str) -> None:
    async def main() -> None:
        async with serving(SERVICE) as running, aio.insecure_channel(running.target) as channel:
            await channel.channel_ready()
            method = multi_callable(channel, arity)
            for _ in range(3):
                with mistaken():
                    await elsewhere(lambda: method(b"x") if arity.startswith("unary") else method())
            await goes_on(channel)

    run(main())


def test_a_stub_is_called_with_an_iterator(elsewhere: Any) -> None:
    async def main() -> None:
        async with serving(SERVICE) as running, aio.insecure_channel(running.target) as channel:
            with mistaken():
                await elsewhere(lambda: multi_callable(channel, "stream_unary")(iter([b"x"])))
            await goes_on(channel)

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
        lambda call: call.trailing_metadata(),
    ],
    ids=["write", "done_writing", "read", "iterate", "code", "initial_metadata", "trailing_metadata"],
)
def test_a_call_is_used(elsewhere: Any, use: Callable[[Any], Any]) -> None:
    async def main() -> None:
        async with serving(SERVICE) as running, aio.insecure_channel(running.target) as channel:
            call = multi_callable(channel, "stream_stream")()
            await call.write(b"1")
            # What it is asked for must not be there for the taking.
            fresh = multi_callable(channel, "stream_stream")()
            with mistaken():
                await elsewhere(lambda: use(fresh))
            await call.done_writing()
            assert [message async for message in call] == [b"1"]
            assert fresh.cancel()
            await goes_on(channel)

    run(main())


def test_a_call_is_awaited(elsewhere: Any) -> None:
    async def main() -> None:
        async with serving(SERVICE) as running, aio.insecure_channel(running.target) as channel:
            call = multi_callable(channel, "stream_unary")()
            with mistaken():
                await elsewhere(lambda: call)
            await call.done_writing()
            assert await call == b""
            await goes_on(channel)

    run(main())


@pytest.mark.parametrize("use", ["wait_for_state_change", "channel_ready"])
def test_a_channel_is_watched(elsewhere: Any, use: str) -> None:
    async def main() -> None:
        async with serving(SERVICE) as running, aio.insecure_channel(running.target) as channel:
            state = channel.get_state()
            arguments = (state,) if use == "wait_for_state_change" else ()
            with mistaken():
                await elsewhere(lambda: getattr(channel, use)(*arguments))
            await goes_on(channel)

    run(main())


def test_a_channel_is_closed(elsewhere: Any) -> None:
    async def main() -> None:
        async with serving(SERVICE) as running:
            channel = aio.insecure_channel(running.target)
            await goes_on(channel)
            with mistaken():
                await elsewhere(channel.close)
            # It was not half closed.
            await goes_on(channel)
            await channel.close()

    run(main())


def test_a_channel_is_made_in_a_thread_and_used_on_the_loop() -> None:
    async def main() -> None:
        async with serving(SERVICE) as running:
            channel = await asyncio.to_thread(aio.insecure_channel, running.target)
            await goes_on(channel)
            await channel.close()

    run(main())


@pytest.mark.parametrize(
    "use",
    [
        lambda server: server.start(),
        lambda server: server.stop(None),
        lambda server: server.add_insecure_port("127.0.0.1:0"),
    ],
    ids=["start", "stop", "add_port"],
)
def test_a_server_is_used(elsewhere: Any, use: Callable[[Any], Any]) -> None:
    async def main() -> None:
        async with serving(SERVICE) as running, aio.insecure_channel(running.target) as channel:
            await goes_on(channel)
            spare = aio.server()
            spare.add_insecure_port("127.0.0.1:0")
            with mistaken():
                await elsewhere(lambda: use(spare))
            await goes_on(channel)
            await spare.start()
            await spare.stop(None)

    run(main())


@pytest.mark.parametrize(
    "use",
    [
        lambda context: context.read(),
        lambda context: context.write(b"x"),
        lambda context: context.send_initial_metadata((("a", "b"),)),
        lambda context: context.abort(grpc.StatusCode.ABORTED, "wrong thread"),
    ],
    ids=["read", "write", "send_initial_metadata", "abort"],
)
def test_a_context_is_used(elsewhere: Any, use: Callable[[Any], Any]) -> None:
    async def main() -> None:
        seen: list[BaseException] = []

        async def handler(_requests: Any, context: Any) -> None:
            try:
                await elsewhere(lambda: use(context))
            except BaseException as error:
                seen.append(error)
            await context.write(b"right")

        both = service(Method=grpc.stream_stream_rpc_method_handler(handler), unary_unary=_unary_unary)
        async with serving(both) as running, aio.insecure_channel(running.target) as channel:
            call = channel.stream_stream("/test.Service/Method")()
            assert await call.read() == b"right"
            assert await call.read() is aio.EOF
            assert await call.code() is grpc.StatusCode.OK
            (error,) = seen
            with mistaken():
                raise error
            assert await multi_callable(channel, "unary_unary")(b"x") == b"x"

    run(main())


# ---- what may be used anywhere


def test_cancel_from_any_thread(elsewhere: Any, arity: str) -> None:
    async def main() -> None:
        async with serving(SERVICE) as running, aio.insecure_channel(running.target) as channel:
            await channel.channel_ready()
            method = multi_callable(channel, arity)
            call = method() if arity.startswith("stream") else method(b"x")
            cancelled = await elsewhere(call.cancel)
            code = await call.code()
            if arity.startswith("stream"):
                assert cancelled
                assert code is grpc.StatusCode.CANCELLED
            await goes_on(channel)

    run(main())


def test_get_state_from_any_thread(elsewhere: Any) -> None:
    async def main() -> None:
        async with serving(SERVICE) as running, aio.insecure_channel(running.target) as channel:
            assert await elsewhere(channel.get_state) is grpc.ChannelConnectivity.IDLE
            await elsewhere(lambda: channel.get_state(True))
            await until(lambda: channel.get_state() is grpc.ChannelConnectivity.READY)
            assert await elsewhere(channel.get_state) is grpc.ChannelConnectivity.READY
            await goes_on(channel)

    run(main())


def test_the_last_reference_goes_on_any_thread(arity: str) -> None:
    async def main() -> None:
        async with serving(SERVICE) as running, aio.insecure_channel(running.target) as channel:
            for _ in range(20):
                method = multi_callable(channel, arity)
                held = [method() if arity.startswith("stream") else method(b"x")]
                await asyncio.sleep(0)
                thread = threading.Thread(target=held.clear)
                thread.start()
                await asyncio.to_thread(thread.join)
            channels = [aio.insecure_channel(running.target)]
            assert await multi_callable(channels[0], "unary_unary")(b"x") == b"x"
            await asyncio.to_thread(channels.clear)
            servers = [aio.server()]
            servers[0].add_insecure_port("127.0.0.1:0")
            await servers[0].start()
            await asyncio.to_thread(servers.clear)
            await goes_on(channel)

    run(main())
