# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Channels behind targets: when there is one for two calls, and when one ends."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
import weakref
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import uvloop
from support import in_time, open_files, run, run_program, until

import uvgrpc
from uvgrpc._protos.channels import IDLE_KEY, MAXIMUM_KEY, ChannelPool, pool_of_loop
from uvgrpc._runtime.loop import core_loop

pytestmark = pytest.mark.uvgrpc_only

PROTO = """
syntax = "proto3";
package pooled;
message Text { string text = 1; }
service Pooled {
  rpc Peer(Text) returns (Text);
  rpc Echo(stream Text) returns (stream Text);
}
"""


@pytest.fixture(scope="module")
def protos(tmp_path_factory: pytest.TempPathFactory) -> uvgrpc.Protos:
    path = tmp_path_factory.mktemp("protos") / "pooled.proto"
    path.write_text(PROTO)
    return uvgrpc.proto(path)


class Pooled:
    async def Peer(self, request: Any, context: Any) -> Any:
        """Which connection the call came on."""
        return {"text": context.peer()}

    async def Echo(self, context: Any) -> None:
        async for text in context:
            await context.send(text)


@contextlib.asynccontextmanager
async def serving(protos: Any) -> AsyncIterator[str]:
    server = uvgrpc.server()
    server.add_servicer(Pooled(), protos.Pooled)
    # Of all addresses of the loopback interface, of which there are many.
    port = server.add_insecure_port("0.0.0.0:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


def pool_with(idle: float = 300, maximum: int = 256) -> ChannelPool:
    """Gives the running loop a pool with these limits."""
    event_loop = asyncio.get_running_loop()
    core_loop(event_loop)
    pool = ChannelPool(event_loop, idle, maximum)
    vars(event_loop)["_uvgrpc_channel_pool"] = pool
    return pool


async def connection(protos: Any, target: str, **keywords: Any) -> str:
    response = await protos.Peer(target, {}, **keywords)
    text: str = response.text
    return text


def test_calls_to_a_target_share_a_connection(protos: Any) -> None:
    async def main() -> None:
        async with serving(protos) as target:
            connections = {await connection(protos, target) for _ in range(5)}
            connections |= {await connection(protos.Pooled, target)}
            connections |= {(await protos.Pooled(target).Peer({})).text}
            assert len(connections) == 1
            assert len(pool_of_loop()) == 1
            # Options make a difference, but not the order of calls.
            options = [("grpc.use_local_subchannel_pool", 1)]
            other = {await connection(protos, target, options=options) for _ in range(2)}
            assert len(other) == 1
            assert other != connections
            assert len(pool_of_loop()) == 2
            await pool_of_loop().close()

    run(main())


def test_credentials_have_channels_of_their_own(protos: Any) -> None:
    async def main() -> None:
        pool = pool_of_loop()
        one, two = (grpc.local_channel_credentials() for _ in range(2))
        channels = {pool.channel("localhost:1", credentials, None) for credentials in (None, one, two, one)}
        assert len(channels) == len(pool) == 3
        await pool.close()

    run(main())


def test_a_channel_without_calls_is_closed(protos: Any) -> None:
    async def main() -> None:
        pool = pool_with(idle=0.05)
        async with serving(protos) as target:
            before = open_files()
            for _ in range(2):
                await connection(protos, target)
                await until(lambda: len(pool) == 0)
                # Its connection is gone, not only its place.
                await until(lambda: open_files() <= before)
            assert pool._timer is None

    run(main())


def test_a_channel_with_a_call_is_not_closed(protos: Any) -> None:
    async def main() -> None:
        pool = pool_with(idle=0.02)
        async with serving(protos) as target:
            call = await protos.Echo(target)
            looked = 0
            close_idle = pool._close_idle

            def count() -> None:
                nonlocal looked
                looked += 1
                close_idle()

            pool._close_idle = count  # type: ignore[method-assign]
            await until(lambda: looked >= 5)
            await call.send({"text": "still there"})
            assert (await call.receive()).text == "still there"
            call.cancel()
            await until(lambda: len(pool) == 0)

    run(main())


def test_a_call_keeps_its_channel_from_the_time_it_is_made(protos: Any) -> None:
    """Before core has it, which is at the end of the loop's turn."""

    async def main() -> None:
        pool = pool_with(idle=1e-9)
        async with serving(protos) as target:
            for _ in range(20):
                call = protos.Peer(target, {})
                pool._close_idle()
                assert (await call).text
                await asyncio.sleep(0)

    run(main())


def test_one_timer_for_all_channels(protos: Any) -> None:
    async def main() -> None:
        pool = pool_of_loop()
        assert pool._timer is None
        pool.channel("localhost:1", None, None)
        timer = pool._timer
        assert timer is not None
        for port in range(2, 50):
            pool.channel(f"localhost:{port}", None, None)
        assert pool._timer is timer
        await pool.close()
        assert timer.cancelled()
        assert pool._timer is None

    run(main())


def test_a_thousand_targets_leave_nothing(protos: Any) -> None:
    async def main() -> None:
        pool = pool_with(idle=0.2, maximum=50)
        before = open_files()
        async with serving(protos) as target:
            port = target.rpartition(":")[2]
            for number in range(1000):
                # All of 127.0.0.0/8 leads here.
                assert await connection(protos, f"127.0.{number // 250}.{number % 250 + 1}:{port}")
                assert len(pool) <= 50
            assert uvgrpc.loop_stats().residents < 120
            await until(lambda: len(pool) == 0)
            await until(lambda: uvgrpc.loop_stats().residents == 1)
        await until(lambda: open_files() <= before)

    run(main())


def test_above_the_maximum_the_one_used_the_longest_ago_goes(protos: Any) -> None:
    async def main() -> None:
        pool = pool_with(maximum=2)
        async with serving(protos) as target:
            port = target.rpartition(":")[2]
            one, two, three, four = (f"127.0.0.{number}:{port}" for number in range(1, 5))
            first, second = await connection(protos, one), await connection(protos, two)
            assert await connection(protos, one) == first
            await connection(protos, three)
            assert await connection(protos, one) == first
            assert await connection(protos, two) != second
            # Those with calls stay, even if that makes one more.
            calls = [await protos.Echo(target) for target in (one, two, three)]
            await connection(protos, four)
            assert len(pool) == 3 + 1
            for call in calls:
                await call.send({"text": "x"})
                assert (await call.receive()).text == "x"
                call.cancel()
            await pool.close()

    run(main())


def test_channels_end_with_their_loop(protos: Any) -> None:
    async def main() -> tuple[Any, str]:
        async with serving(protos) as target:
            return weakref.ref(pool_of_loop().channel(target, None, None)), await connection(protos, target)

    references = []
    connections = []
    for _ in range(3):
        reference, number = run(main(), leaves_open=True)
        references.append(reference)
        connections.append(number)
    gc.collect()
    assert [reference() for reference in references] == [None] * 3
    assert len(set(connections)) == 3


def test_a_loop_that_runs_again_has_its_channels_still(protos: Any) -> None:
    event_loop = uvloop.new_event_loop()
    try:

        async def start() -> tuple[Any, str]:
            server = uvgrpc.server()
            server.add_servicer(Pooled(), protos.Pooled)
            port = server.add_insecure_port("127.0.0.1:0")
            server.start()
            return server, f"127.0.0.1:{port}"

        server, target = event_loop.run_until_complete(start())
        connections = {event_loop.run_until_complete(connection(protos, target)) for _ in range(3)}
        assert len(connections) == 1
        event_loop.run_until_complete(server.stop(None))
    finally:
        event_loop.close()


def test_two_loops_in_two_threads(protos: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    async def main() -> str:
        async with serving(protos) as target:
            for _ in range(20):
                await connection(protos, target)
            return await connection(protos, target)

    with ThreadPoolExecutor(2) as threads:
        assert len(set(threads.map(lambda _: run(main(), leaves_open=True), range(4)))) == 4


def test_a_server_that_comes_back_is_found_again(protos: Any) -> None:
    async def main() -> None:
        async with serving(protos) as target:
            await connection(protos, target)
        with pytest.raises(uvgrpc.RpcError):
            await connection(protos, target)
        server = uvgrpc.server()
        server.add_servicer(Pooled(), protos.Pooled)
        server.add_insecure_port(target)
        async with server:
            assert await connection(protos, target, wait_for_ready=True)
        await pool_of_loop().close()

    run(main())


def test_a_program_ends_at_once() -> None:
    program = f"""
import tempfile
with tempfile.NamedTemporaryFile("w", suffix=".proto") as file:
    file.write({PROTO!r})
    file.flush()
    protos = uvgrpc.proto(file.name)
class Pooled:
    async def Peer(self, request, context):
        return request
async def main():
    server = uvgrpc.server()
    server.add_servicer(Pooled(), protos.Pooled)
    port = server.add_insecure_port("127.0.0.1:0")
    async with server:
        await protos.Peer(f"127.0.0.1:{{port}}", {{}})
    return time.monotonic()
ended = uvloop.run(main())
print(time.monotonic() - ended)
"""
    assert run_program(program).result < 5


def test_the_child_of_a_fork_has_channels_of_its_own(protos: Any) -> None:
    program = f"""
import tempfile
with tempfile.NamedTemporaryFile("w", suffix=".proto") as file:
    file.write({PROTO!r})
    file.flush()
    protos = uvgrpc.proto(file.name)
class Pooled:
    async def Peer(self, request, context):
        return {{"text": context.peer()}}
async def call(target):
    return (await protos.Peer(target, {{}}, wait_for_ready=True)).text
async def main():
    server = uvgrpc.server()
    server.add_servicer(Pooled(), protos.Pooled)
    target = f"127.0.0.1:{{server.add_insecure_port('127.0.0.1:0')}}"
    server.start()
    first = await call(target)
    read, write = os.pipe()
    if os.fork() == 0:
        asyncio._set_running_loop(None)
        os.write(write, uvloop.run(call(target)).encode())
        os._exit(0)
    childs = (await asyncio.get_running_loop().run_in_executor(None, os.read, read, 1000)).decode()
    os.wait()
    again = await call(target)
    await server.stop(None)
    return [childs.startswith("ipv4:"), childs != first, again == first]
print(json.dumps(uvloop.run(main())))
"""
    assert run_program(program).result == [True, True, True]


def test_limits_of_the_environment(protos: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> tuple[float, int]:
        pool = pool_of_loop()
        return pool._idle, pool._maximum

    assert run(main()) == (300, 256)
    monkeypatch.setenv(IDLE_KEY, "1800")
    monkeypatch.setenv(MAXIMUM_KEY, "7")
    assert run(main()) == (1800, 7)
    for wrong in ("x", "0", "-1", "nan"):
        monkeypatch.setenv(IDLE_KEY, wrong)
        with pytest.raises(ValueError, match=f"{IDLE_KEY} must be a number above 0, got '{wrong}'"):
            run(main())


def test_closing_takes_no_time(protos: Any) -> None:
    async def main() -> None:
        pool = pool_of_loop()
        async with serving(protos) as target:
            port = target.rpartition(":")[2]
            for number in range(100):
                await connection(protos, f"127.0.1.{number + 1}:{port}")
            started = time.monotonic()
            await pool.close()
            in_time(started, 5)
            assert len(pool) == 0

    run(main())
