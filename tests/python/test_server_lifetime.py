# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Servers: ports, start and stop."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path
from typing import Any

import grpc
import pytest
from support import (
    aio,
    echo,
    error_of,
    in_time,
    run,
    service,
    serving,
    until,
)


async def hang(request: bytes, context: Any) -> bytes:
    await asyncio.Event().wait()
    return b""


# ---- ports


def test_port_0_has_a_port_chosen_and_several_ports_are_served() -> None:
    async def main() -> None:
        server = aio.server(handlers=[service(Method=echo)])
        ports = [server.add_insecure_port("127.0.0.1:0") for _ in range(3)]
        assert len({*ports}) == 3
        assert all(port > 0 for port in ports)
        await server.start()
        for port in ports:
            async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                assert await channel.unary_unary("/test.Service/Method")(b"x") == b"x"
        await server.stop(None)

    run(main())


def _address(kind: str, tmp_path: Path) -> str:
    if kind == "unix":
        return f"unix:{tmp_path / 'socket'}"
    if kind == "unix-abstract":
        return f"unix-abstract:{tmp_path}"
    return {"any": "[::]:0", "ipv6": "[::1]:0"}[kind]


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.parametrize("kind", ["unix", "unix-abstract", "any", "ipv6"])
def test_other_addresses(kind: str, tmp_path: Path) -> None:
    peers = {"unix": "unix:", "unix-abstract": "unix", "any": "ipv", "ipv6": "ipv6:"}

    async def peer(request: bytes, context: Any) -> bytes:
        return context.peer().encode()

    async def main() -> None:
        server = aio.server(handlers=[service(Method=peer)])
        address = _address(kind, tmp_path)
        if kind == "ipv6" and not _has_ipv6():
            with pytest.raises(RuntimeError, match="Failed to bind"):
                server.add_insecure_port(address)
            await server.stop(None)
            return
        port = server.add_insecure_port(address)
        await server.start()
        target = {"any": f"127.0.0.1:{port}", "ipv6": f"[::1]:{port}"}.get(kind, address)
        async with aio.insecure_channel(target) as channel:
            answer = await channel.unary_unary("/test.Service/Method")(b"", timeout=10)
            assert answer.decode().startswith(peers[kind])
        await server.stop(None)

    run(main())


@pytest.mark.writes_stderr
def test_an_address_that_cannot_be_bound_is_a_runtime_error() -> None:
    async def main() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            server = aio.server(options=(("grpc.so_reuseport", 0),))
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            with pytest.raises(RuntimeError, match=f"Failed to bind to address {address}"):
                server.add_insecure_port(address)
            await server.stop(None)

    run(main())


def test_two_servers_share_a_port_only_with_so_reuseport() -> None:
    async def main() -> None:
        async with serving(service(Method=echo)) as first:
            second = aio.server()
            assert second.add_insecure_port(first.target) == first.port
            await second.stop(None)

    run(main())


@pytest.mark.uvgrpc_only
def test_an_option_of_a_bad_type_is_a_type_error_that_names_it() -> None:
    async def main() -> None:
        with pytest.raises(TypeError, match=r"grpc\.answer"):
            aio.server(options=(("grpc.answer", 4.2j),))
        with pytest.raises(TypeError, match=r"grpc\.answer"):
            aio.insecure_channel("127.0.0.1:1", options=(("grpc.answer", 4.2j),))

    run(main())


# ---- start and stop


def test_start_again_does_nothing_while_the_server_runs() -> None:
    async def main() -> None:
        async with (
            serving(service(Method=echo)) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            await running.server.start()
            assert await channel.unary_unary("/test.Service/Method")(b"x") == b"x"

    run(main())


def test_a_stopped_server_cannot_be_started_again() -> None:
    async def main() -> None:
        async with serving() as running:
            await running.server.stop(None)
            with pytest.raises(aio.UsageError, match="not in ready state"):
                await running.server.start()

    run(main())


def test_stop_before_start_and_stop_again() -> None:
    async def main() -> None:
        server = aio.server()
        server.add_insecure_port("127.0.0.1:0")
        await server.stop(None)
        await server.stop(5)
        await server.stop(None)

    run(main())


def test_a_stopped_server_has_given_its_port_back() -> None:
    async def main() -> None:
        async with serving(service(Method=echo)) as running:
            async with aio.insecure_channel(running.target) as channel:
                await channel.channel_ready()
            await running.server.stop(None)
            with socket.socket() as again:
                again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                again.bind(("127.0.0.1", running.port))
                again.listen()

    run(main())


def test_stop_without_grace_aborts_what_runs() -> None:
    async def main() -> None:
        async with (
            serving(service(Method=hang)) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            call = channel.unary_unary("/test.Service/Method")(b"")
            await channel.channel_ready()
            await asyncio.sleep(0.05)
            started = time.monotonic()
            await running.server.stop(None)
            assert await call.code() is grpc.StatusCode.UNAVAILABLE
            in_time(started, 5)

    run(main())


def test_stop_with_grace_lets_calls_finish_and_refuses_new_ones() -> None:
    async def main() -> None:
        entered, finish = asyncio.Event(), asyncio.Event()

        async def handler(request: bytes, context: Any) -> bytes:
            entered.set()
            await finish.wait()
            return request

        async with (
            serving(service(Method=handler)) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            method = channel.unary_unary("/test.Service/Method")
            early = method(b"early")
            await entered.wait()
            stop = asyncio.create_task(running.server.stop(60))
            await asyncio.sleep(0.05)
            assert (await error_of(method(b"late"))).code() is grpc.StatusCode.UNAVAILABLE
            assert not stop.done()
            finish.set()
            assert await early == b"early"
            started = time.monotonic()
            await stop
            in_time(started, 5)

    run(main())


def test_stop_aborts_when_the_grace_is_over() -> None:
    async def main() -> None:
        async with (
            serving(service(Method=hang)) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            call = channel.unary_unary("/test.Service/Method")(b"")
            await channel.channel_ready()
            await asyncio.sleep(0.05)
            started = time.monotonic()
            await running.server.stop(0.2)
            assert time.monotonic() - started >= 0.19
            assert await call.code() is grpc.StatusCode.UNAVAILABLE
            in_time(started, 5)

    run(main())


@pytest.mark.parametrize("second", [0.1, None])
def test_the_smallest_grace_wins(second: float | None) -> None:
    async def main() -> None:
        async with (
            serving(service(Method=hang)) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            call = channel.unary_unary("/test.Service/Method")(b"")
            await channel.channel_ready()
            await asyncio.sleep(0.05)
            started = time.monotonic()
            slow = asyncio.create_task(running.server.stop(60))
            await asyncio.sleep(0)
            await running.server.stop(second)
            await slow
            in_time(started, 5)
            assert await call.code() is grpc.StatusCode.UNAVAILABLE

    run(main())


def test_a_larger_grace_later_does_not_prolong() -> None:
    async def main() -> None:
        async with (
            serving(service(Method=hang)) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            call = channel.unary_unary("/test.Service/Method")(b"")
            await channel.channel_ready()
            await asyncio.sleep(0.05)
            started = time.monotonic()
            quick = asyncio.create_task(running.server.stop(0.1))
            await asyncio.sleep(0)
            await running.server.stop(60)
            await quick
            in_time(started, 5)
            assert await call.code() is grpc.StatusCode.UNAVAILABLE

    run(main())


def test_handlers_are_cancelled_by_an_abrupt_stop() -> None:
    async def main() -> None:
        events: list[str] = []

        async def handler(request: bytes, context: Any) -> bytes:
            events.append("entered")
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                events.append("cancelled")
                raise
            return b""

        async with (
            serving(service(Method=handler)) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            call = channel.unary_unary("/test.Service/Method")(b"")
            await until(lambda: events)
            await running.server.stop(None)
            await until(lambda: events == ["entered", "cancelled"])
            assert await call.code() is not grpc.StatusCode.OK

    run(main())


def test_wait_for_termination() -> None:
    async def main() -> None:
        async with serving() as running:
            assert await running.server.wait_for_termination(timeout=0.01) is True
            waiter = asyncio.create_task(running.server.wait_for_termination())
            timed = asyncio.create_task(running.server.wait_for_termination(timeout=60))
            await asyncio.sleep(0.01)
            assert not waiter.done()
            assert not timed.done()
            await running.server.stop(None)
            await waiter
            assert await timed is False
            await running.server.wait_for_termination()

    run(main())


def test_a_server_that_is_dropped_while_it_serves_goes_away() -> None:
    async def main() -> None:
        server = aio.server(handlers=[service(Method=echo)])
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            method = channel.unary_unary("/test.Service/Method")
            assert await method(b"x") == b"x"
            del server
            deadline = time.monotonic() + 10
            while await method(b"x", timeout=1).code() is grpc.StatusCode.OK:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.01)

    run(main())
