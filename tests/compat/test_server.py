# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Servers: how they are made, started and stopped, their ports and their limits."""

from __future__ import annotations

import asyncio
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from rig import (
    Gate,
    Hang,
    arities,
    before_each,
    echo_of,
    failure_of,
    handler,
    looped,
    looped_leaving,
    result_of,
    uu,
    wired,
)
from support import aio, in_time, until


async def echo(request: bytes, context: Any) -> bytes:
    return request


def generic(**methods: Any) -> grpc.GenericRpcHandler:
    return grpc.method_handlers_generic_handler("test.Service", methods)


# ---- making one


@looped
async def test_arguments_of_a_server_may_be_positional() -> None:
    """migration_thread_pool, handlers, interceptors, options, maximum_concurrent_rpcs, compression."""
    with ThreadPoolExecutor(1) as pool:
        server = aio.server(
            pool,
            [generic(Method=uu(echo))],
            [],
            [("grpc.max_receive_message_length", 100)],
            10,
            grpc.Compression.Gzip,
        )
        assert isinstance(server, grpc.aio.Server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            method = channel.unary_unary("/test.Service/Method")
            assert await method(b"x") == b"x"
            assert (await failure_of(method(bytes(101)))).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        await server.stop(None)


@pytest.mark.parametrize("limit", [0, -1])
@looped
async def test_a_limit_that_is_not_positive_is_a_value_error(limit: int) -> None:
    with pytest.raises(ValueError, match="maximum_concurrent_rpcs"):
        aio.server(maximum_concurrent_rpcs=limit)


@looped
async def test_an_interceptor_of_another_kind_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="Interceptor must be ServerInterceptor"):
        aio.server(interceptors=[object()])


@looped
async def test_handlers_may_be_any_objects_that_find_methods() -> None:
    class Finder:
        """Not a grpc.GenericRpcHandler by its bases."""

        def service(self, details: Any) -> Any:
            assert type(details.method) is str
            return uu(echo) if details.method == "/any/Thing" else None

    server = aio.server()
    server.add_generic_rpc_handlers([Finder()])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        assert await channel.unary_unary("/any/Thing")(b"x") == b"x"
        assert await channel.unary_unary("/any/Other")(b"x").code() is grpc.StatusCode.UNIMPLEMENTED
    await server.stop(None)


@arities
@looped
async def test_registered_handlers_win_over_generic_ones_and_the_first_generic_wins(arity: str) -> None:
    def answering(text: bytes) -> Any:
        async def single(request: Any, context: Any) -> bytes:
            return text

        async def many(request: Any, context: Any) -> Any:
            yield text

        return handler(arity, single if arity.endswith("unary") else many)

    server = aio.server(handlers=[generic(Method=answering(b"generic"), Other=answering(b"first"))])
    server.add_generic_rpc_handlers((generic(Other=answering(b"second"), Third=answering(b"third")),))
    server.add_registered_method_handlers("test.Service", {"Method": answering(b"registered")})
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        for name, text in (("Method", b"registered"), ("Other", b"first"), ("Third", b"third")):
            method = getattr(channel, arity)(f"/test.Service/{name}", _registered_method=True)
            call = method([b""] if arity.startswith("stream") else b"")
            assert await result_of(call) == text
    await server.stop(None)


@looped
async def test_methods_registered_after_the_start_change_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def other(request: bytes, context: Any) -> bytes:
        return b"other"

    async with wired(uu(echo)) as wire:
        wire.server.add_registered_method_handlers("test.Service", {"Method": uu(other)})
        assert await wire() == b"request"
    assert "Cannot register method handlers once server has started" in caplog.text


# ---- ports


@looped
async def test_port_zero_has_one_chosen_and_several_ports_serve() -> None:
    server = aio.server(handlers=[generic(Method=uu(echo))])
    ports = {server.add_insecure_port("127.0.0.1:0") for _ in range(3)}
    assert len(ports) == 3
    assert all(ports)
    await server.start()
    for port in ports:
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            assert await channel.unary_unary("/test.Service/Method")(b"x") == b"x"
    await server.stop(None)


@pytest.mark.writes_stderr
@looped
async def test_an_address_that_is_taken_is_a_runtime_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = aio.server(options=(("grpc.so_reuseport", 0),))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(RuntimeError, match=f"^Failed to bind to address {address}; set GRPC_VERBOSITY"):
            server.add_insecure_port(address)
        await server.stop(None)


@pytest.mark.writes_stderr
@pytest.mark.parametrize("address", ["127.0.0.1:port", "unix:/nowhere/at/all"])
@looped
async def test_an_address_that_means_nothing_is_a_runtime_error(address: str) -> None:
    server = aio.server()
    with pytest.raises(RuntimeError, match="Failed to bind"):
        server.add_insecure_port(address)
    await server.stop(None)


@looped
async def test_an_address_may_be_bytes() -> None:
    server = aio.server()
    assert server.add_insecure_port(b"127.0.0.1:0")
    await server.stop(None)


@looped
async def test_a_stale_unix_socket_is_replaced(tmp_path: Path) -> None:
    for _ in range(2):
        server = aio.server(handlers=[generic(Method=uu(echo))])
        server.add_insecure_port(f"unix:{tmp_path}/socket")
        await server.start()
        async with aio.insecure_channel(f"unix:{tmp_path}/socket") as channel:
            assert await channel.unary_unary("/test.Service/Method")(b"x") == b"x"
        await server.stop(None)


# ---- starting and stopping


@looped
async def test_start_again_does_nothing_while_it_runs_and_is_refused_afterwards() -> None:
    async with wired(uu(echo)) as wire:
        await wire.server.start()
        assert await wire() == b"request"
        await wire.server.stop(None)
        with pytest.raises(aio.UsageError, match=r"^Server not in ready state$"):
            await wire.server.start()


@looped
async def test_stop_before_the_start_and_stop_again() -> None:
    server = aio.server()
    server.add_insecure_port("127.0.0.1:0")
    await server.stop(None)
    await server.stop(5)
    async with wired(uu(echo)) as wire:
        for grace in (None, 0, 1, None):
            await wire.server.stop(grace)


@arities
@looped
async def test_stop_without_grace_aborts_what_runs(arity: str) -> None:
    hang = Hang()
    async with wired(hang.of(arity)) as wire:
        call = wire()
        await hang.entered.wait()
        started = time.monotonic()
        await wire.server.stop(None)
        in_time(started, 3)
        error = await failure_of(call)
        assert error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
        await asyncio.wait_for(hang.left.wait(), 3)


@arities
@looped
async def test_stop_with_grace_lets_calls_finish_and_refuses_new_ones(arity: str) -> None:
    gate = Gate()
    async with wired(gate.of(arity)) as wire:
        call = wire()
        await gate.entered.wait()
        stop = asyncio.create_task(wire.server.stop(5))
        await asyncio.sleep(0.02)
        late = await failure_of(wire(timeout=3))
        assert late.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
        assert not stop.done()
        gate.finish.set()
        started = time.monotonic()
        assert await result_of(call) == b"request"
        await stop
        in_time(started, 3)


@looped
async def test_stop_aborts_when_the_grace_is_over_and_the_smallest_grace_wins() -> None:
    hang = Hang()
    async with wired(hang.of("unary_unary")) as wire:
        call = wire()
        await hang.entered.wait()
        started = time.monotonic()
        stops = [asyncio.create_task(wire.server.stop(grace)) for grace in (60, 0.1, 60)]
        await asyncio.gather(*stops)
        assert time.monotonic() - started >= 0.09
        in_time(started, 3)
        assert await call.code() is not grpc.StatusCode.OK


@looped
async def test_wait_for_termination_tells_whether_the_time_ran_out() -> None:
    async with wired(uu(echo)) as wire:
        assert await wire.server.wait_for_termination(timeout=0.01) is True
        assert await wire.server.wait_for_termination(0) is True
        waiters = [asyncio.create_task(wire.server.wait_for_termination(timeout)) for timeout in (None, 60)]
        await asyncio.sleep(0.01)
        assert not any(waiter.done() for waiter in waiters)
        await wire.server.stop(None)
        assert await asyncio.gather(*waiters) == [False, False]
        assert await wire.server.wait_for_termination() is False
        assert await wire.server.wait_for_termination(1) is False


@pytest.mark.stock_defect("a wait for termination that is cancelled breaks stop()")
@looped
async def test_a_wait_for_termination_can_be_cancelled_and_the_server_serves_on() -> None:
    async with wired(uu(echo)) as wire:
        waiter = asyncio.create_task(wire.server.wait_for_termination())
        await asyncio.sleep(0.01)
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        assert await wire() == b"request"


@looped
async def test_a_stop_that_is_cancelled_may_be_repeated() -> None:
    hang = Hang()
    async with wired(hang.of("unary_unary")) as wire:
        call = wire()
        await hang.entered.wait()
        stop = asyncio.create_task(wire.server.stop(60))
        await asyncio.sleep(0.01)
        stop.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stop
        await asyncio.wait_for(wire.server.stop(None), 3)
        assert await call.code() is not grpc.StatusCode.OK


@looped_leaving
async def test_a_server_that_is_dropped_goes_away() -> None:
    server = aio.server(handlers=[generic(Method=uu(echo))])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        method = channel.unary_unary("/test.Service/Method")
        assert await method(b"x") == b"x"
        del server
        deadline = time.monotonic() + 4
        while await method(b"x", timeout=0.5).code() is grpc.StatusCode.OK:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)


# ---- limits


@arities
@pytest.mark.parametrize("registered", [False, True])
@looped
async def test_calls_beyond_the_limit_are_refused(arity: str, registered: bool) -> None:
    finish, entered = asyncio.Event(), 0

    async def wait(_context: Any) -> None:
        nonlocal entered
        entered += 1
        await finish.wait()

    server = aio.server(maximum_concurrent_rpcs=2)
    if registered:
        server.add_registered_method_handlers("test.Service", {"Method": before_each(arity, wait)})
    else:
        server.add_generic_rpc_handlers((generic(Method=before_each(arity, wait)),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        method = getattr(channel, arity)("/test.Service/Method")
        request: Any = [b"x"] if arity.startswith("stream") else b"x"
        allowed = [method(request), method(request)]
        await until(lambda: entered == 2)
        error = await failure_of(method(request))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert error.details() == "Concurrent RPC limit exceeded!"
        # What does not exist is decided first.
        error = await failure_of(channel.unary_unary("/test.Service/Nothing")(b""))
        assert error.code() is grpc.StatusCode.UNIMPLEMENTED
        finish.set()
        assert [await result_of(call) for call in allowed] == [b"x", b"x"]
        for _ in range(5):
            assert await result_of(method(request)) == b"x"
    await server.stop(None)


@looped
async def test_a_call_that_is_cancelled_makes_room() -> None:
    hang = Hang()
    async with wired(hang.of("unary_unary"), server_options={"maximum_concurrent_rpcs": 1}) as wire:
        call = wire()
        await hang.entered.wait()
        assert (await failure_of(wire())).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        call.cancel()
        await hang.left.wait()
        hang.entered.clear()
        deadline = time.monotonic() + 3
        while not hang.entered.is_set():
            assert time.monotonic() < deadline
            again = wire(timeout=0.05)
            await again.code()


@looped
async def test_an_idle_server_method_is_not_disturbed_by_others() -> None:
    async with wired(echo_of("unary_unary"), methods={"Hang": Hang().of("unary_unary")}) as wire:
        stuck = [wire.method("Hang")(b"") for _ in range(50)]
        assert [await wire(b"%d" % n) for n in range(20)] == [b"%d" % n for n in range(20)]
        for call in stuck:
            call.cancel()
