# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Several loops, one after the other and at the same time."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import grpc
import pytest
import uvloop
from support import aio, echo, run, run_program, service, serving

import uvgrpc

pytestmark = pytest.mark.uvgrpc_only


class LoopThread:
    """A uvloop loop in a thread of its own, to run coroutines on."""

    def __enter__(self) -> LoopThread:
        self.loop = uvloop.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        return self

    def run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        native = getattr(self.loop, "_uvgrpc_loop", None)
        self.loop.close()
        assert native is None or native.handle_count == 0


async def open_server() -> tuple[Any, str]:
    server = aio.server(handlers=[service(Method=echo)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return server, f"127.0.0.1:{port}"


async def make_calls(target: str, count: int) -> int:
    async with aio.insecure_channel(target) as channel:
        method = channel.unary_unary("/test.Service/Method")
        answers = 0
        for i in range(0, count, 10):
            requests = [b"%d" % j for j in range(i, i + 10)]
            assert await asyncio.gather(*map(method, requests)) == requests
            answers += len(requests)
        return answers


def test_two_loops_in_two_threads_serve_and_call_at_the_same_time() -> None:
    with LoopThread() as first, LoopThread() as second:
        servers = [thread.run(open_server()) for thread in (first, second)]
        pairs = [(first, 0), (first, 1), (second, 0), (second, 1)]
        futures = [
            asyncio.run_coroutine_threadsafe(make_calls(servers[index][1], 500), thread.loop)
            for thread, index in pairs
        ]
        assert [future.result(60) for future in futures] == [500] * 4
        for thread, (server, _) in zip((first, second), servers, strict=True):
            thread.run(server.stop(None))


def test_an_idle_loop_is_not_woken_by_another_ones_calls() -> None:
    async def wakeups() -> int:
        return uvgrpc.loop_stats().wakeups

    with LoopThread() as idle, LoopThread() as busy:
        servers = [thread.run(open_server()) for thread in (idle, busy)]
        # A connection of its own, which has been used.
        assert idle.run(make_calls(servers[0][1], 10)) == 10
        idle.run(asyncio.sleep(0.2))
        before = idle.run(wakeups())
        assert busy.run(make_calls(servers[1][1], 300)) == 300
        assert idle.run(wakeups()) == before
        for thread, (server, _) in zip((idle, busy), servers, strict=True):
            thread.run(server.stop(None))


def test_a_channel_made_before_any_loop_is_bound_at_first_use() -> None:
    options = (("grpc.initial_reconnect_backoff_ms", 100), ("grpc.min_reconnect_backoff_ms", 100))
    from support import unused_port

    port = unused_port()
    channel = aio.insecure_channel(f"127.0.0.1:{port}", options=options)
    method = channel.unary_unary("/test.Service/Method")

    async def main(close: bool) -> None:
        server = aio.server(handlers=[service(Method=echo)])
        server.add_insecure_port(f"127.0.0.1:{port}")
        await server.start()
        assert await method(b"x", wait_for_ready=True, timeout=20) == b"x"
        await channel.channel_ready()
        await server.stop(None)
        if close:
            await channel.close()

    run(main(close=False), leaves_open=True)
    # The same one again: its loop is closed, so it goes to the next.
    run(main(close=False), leaves_open=True)
    run(main(close=True))
    assert channel.get_state() is grpc.ChannelConnectivity.SHUTDOWN


def test_a_channel_that_was_never_used_can_be_closed() -> None:
    channel = aio.insecure_channel("127.0.0.1:1")

    async def main() -> None:
        await channel.close()
        with pytest.raises(aio.UsageError):
            channel.unary_unary("/a/A")(b"")

    run(main())


def test_use_from_a_second_live_loop_is_an_error() -> None:
    async def use(channel: Any) -> None:
        with pytest.raises(RuntimeError, match="belongs to another event loop"):
            channel.unary_unary("/a/A")(b"")

    with LoopThread() as first, LoopThread() as second:

        async def make() -> Any:
            return aio.insecure_channel("127.0.0.1:1")

        channel = first.run(make())
        second.run(use(channel))
        first.run(channel.close())


def test_a_call_that_is_pending_when_its_loop_closes_ends_with_a_status() -> None:
    async def hang(request: bytes, context: Any) -> bytes:
        entered.set()
        await asyncio.Event().wait()
        return b""

    kept: dict[str, Any] = {}

    async def main() -> None:
        nonlocal entered
        entered = asyncio.Event()
        kept["server"] = server = aio.server(handlers=[service(Method=hang)])
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        kept["channel"] = channel = aio.insecure_channel(f"127.0.0.1:{port}")
        kept["call"] = call = channel.unary_unary("/test.Service/Method")(b"")
        call.add_done_callback(lambda _: None)
        await entered.wait()

    entered: asyncio.Event
    run(main(), leaves_open=True)
    call = kept["call"]
    assert call.done()
    assert call._status_number() in (
        grpc.StatusCode.CANCELLED.value[0],
        grpc.StatusCode.UNAVAILABLE.value[0],
    )
    assert not call.cancel()


def test_a_call_that_is_awaited_when_main_returns_is_cancelled() -> None:
    outcomes: list[str] = []

    async def wait(call: Any) -> None:
        try:
            await call
        except asyncio.CancelledError:
            outcomes.append("cancelled")
            raise

    async def hang(request: bytes, context: Any) -> bytes:
        await asyncio.Event().wait()
        return b""

    async def main() -> None:
        server = aio.server(handlers=[service(Method=hang)])
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        channel = aio.insecure_channel(f"127.0.0.1:{port}")
        tasks.append(asyncio.create_task(wait(channel.unary_unary("/test.Service/Method")(b""))))
        await asyncio.sleep(0.05)

    tasks: list[asyncio.Task[None]] = []
    run(main(), leaves_open=True)
    assert outcomes == ["cancelled"]


def test_loop_stats_count() -> None:
    async def main() -> None:
        assert uvgrpc.loop_stats() == uvgrpc.LoopStats(handles=0, residents=0, wakeups=0)
        async with serving(service(Method=echo)) as running:
            with_server = uvgrpc.loop_stats()
            assert with_server.residents >= 1
            assert with_server.handles >= 1
            async with aio.insecure_channel(running.target) as channel:
                assert uvgrpc.loop_stats().residents > with_server.residents
                await channel.unary_unary("/test.Service/Method")(b"")
                assert uvgrpc.loop_stats().wakeups > with_server.wakeups
                assert uvgrpc.loop_stats(asyncio.get_running_loop()).residents >= 2

    run(main())


_MANY = """
import weakref
from support import open_files, resident_bytes

def measure():
    gc.collect()
    return open_files(), resident_bytes()

async def main():
    async with serving(service(Method=echo)) as running:
        channel = aio.insecure_channel(running.target)
        assert await channel.unary_unary("/test.Service/Method")(b"x") == b"x"
        if closes:
            await channel.close()
    native = asyncio.get_running_loop()._uvgrpc_loop
    return weakref.ref(asyncio.get_running_loop()), native

loops, middle = [], None
for i in range(COUNT):
    closes = i % 2
    loop, native = uvloop.run(main())
    loops.append(loop)
    assert native.is_closed and native.handle_count == 0, native.describe_handles()
    if i == COUNT // 2:
        middle = measure()
end = measure()
print(json.dumps({
    "alive": sum(loop() is not None for loop in loops),
    "files": end[0] - middle[0],
    "growth": end[1] - middle[1],
}))
"""


@pytest.mark.parametrize("count", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_many_loops_in_a_row_leave_nothing(count: int) -> None:
    result = run_program(f"COUNT = {count}\n" + _MANY).result
    growth = result.pop("growth")
    # asyncio keeps the last one it was told of.
    assert result.pop("alive") <= 1
    assert result == {"files": 0}
    assert growth < 2_000_000
