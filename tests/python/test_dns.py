# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Names: who is asked for them, how long it may take, and what is left of it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from dns_server import SRV, TXT, dns_server
from support import aio, echo, error_of, in_time, run, run_program, service, serving, until

METHOD = "/test.Service/Method"
# What a lookup that fails at once has time for.
SOON = 5.0


async def ask(target: str, *options: tuple[str, Any]) -> bytes:
    """Makes a call that succeeds, on a channel of its own; gives the answer."""
    async with aio.insecure_channel(target, options=options) as channel:
        answer: bytes = await channel.unary_unary(METHOD)(b"x", timeout=20)
        return answer


async def failure(target: str, *options: tuple[str, Any], timeout: float = 20) -> grpc.aio.AioRpcError:
    """Makes a call that fails, on a channel of its own."""
    async with aio.insecure_channel(target, options=options) as channel:
        return await error_of(channel.unary_unary(METHOD)(b"x", timeout=timeout))


@contextlib.asynccontextmanager
async def at(address: str, port: int = 0) -> AsyncIterator[tuple[Any, int]]:
    """A server that answers with the address that it listens on."""

    async def say(_request: bytes, _context: Any) -> bytes:
        return address.encode()

    server = aio.server()
    server.add_generic_rpc_handlers((service(Method=say),))
    port = server.add_insecure_port(f"{address}:{port}")
    await server.start()
    try:
        yield server, port
    finally:
        await server.stop(None)


def has_ipv6_loopback() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def test_names_of_a_dns_server_and_of_the_hosts_file_are_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 in-the-file\n")
    monkeypatch.setenv("CARES_HOSTS", str(hosts))

    async def main() -> None:
        async with dns_server(host="127.0.0.1") as dns, serving(service(Method=echo)) as running:
            await ask(dns.target("host.test", running.port))
            asked = len(dns.asked)
            await ask(dns.target("in-the-file", running.port))
            assert {name for name, _ in dns.asked[asked:]} <= {"in-the-file"}
            await ask(f"in-the-file:{running.port}")

    run(main())


def test_search_domains_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALDOMAIN", "corp.test")

    async def main() -> None:
        async with dns_server() as dns, serving(service(Method=echo)) as running:
            dns.addresses["short.corp.test"] = "127.0.0.1"
            await ask(dns.target("short", running.port))

    run(main())


@pytest.mark.skipif(not has_ipv6_loopback(), reason="no IPv6")
def test_localhost_is_ipv6_first() -> None:
    async def main() -> None:
        async with at("[::1]") as (_, port), at("127.0.0.1", port):
            for target in (f"localhost:{port}", f"dns:///localhost:{port}"):
                assert await ask(target) == b"[::1]"

    run(main())


def test_a_server_may_listen_on_localhost() -> None:
    async def main() -> None:
        async with at("localhost") as (_, port):
            assert await ask(f"127.0.0.1:{port}") == b"localhost"

    run(main())


def test_an_unknown_name_is_unavailable_at_once() -> None:
    async def main() -> None:
        async with dns_server() as dns:
            started = time.monotonic()
            error = await failure(dns.target("nobody.test", 1))
            in_time(started, SOON)
            assert error.code() == grpc.StatusCode.UNAVAILABLE
            assert "nobody.test" in error.details()
            assert "Domain name not found" in error.details()

    run(main())


def test_a_name_that_comes_into_being_is_found_by_a_call_that_waits() -> None:
    async def main() -> None:
        async with (
            dns_server() as dns,
            serving(service(Method=echo)) as running,
            aio.insecure_channel(dns.target("late.test", running.port)) as channel,
        ):
            call = channel.unary_unary(METHOD)(b"x", wait_for_ready=True, timeout=20)
            await until(lambda: dns.asked)
            dns.addresses["late.test"] = "127.0.0.1"
            assert await call == b"x"

    run(main())


def test_a_name_that_moves_is_followed() -> None:
    options = (
        ("grpc.dns_min_time_between_resolutions_ms", 100),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
    )

    async def main() -> None:
        async with (
            dns_server(moving="127.0.0.1") as dns,
            at("127.0.0.1") as (first, port),
            at("127.0.0.2", port),
            aio.insecure_channel(dns.target("moving.test", port), options=options) as channel,
        ):
            method = channel.unary_unary(METHOD)
            assert await method(b"") == b"127.0.0.1"
            dns.addresses["moving.test"] = "127.0.0.2"
            await first.stop(None)
            assert await method(b"", wait_for_ready=True, timeout=20) == b"127.0.0.2"

    run(main())


def test_the_query_time_out_ends_a_lookup() -> None:
    async def main() -> None:
        async with dns_server() as dns:
            dns.silent.add("silent.test")
            started = time.monotonic()
            error = await failure(dns.target("silent.test", 1), ("grpc.dns_ares_query_timeout", 300))
            in_time(started, SOON)
            assert error.code() == grpc.StatusCode.UNAVAILABLE
            assert "silent.test" in error.details()

    run(main())


@pytest.mark.slow
def test_a_dns_server_that_never_answers_is_given_up() -> None:
    async def main() -> None:
        async with dns_server() as dns:
            dns.silent.add("silent.test")
            error = await failure(dns.target("silent.test", 1), timeout=60)
            assert error.code() == grpc.StatusCode.UNAVAILABLE
            assert "silent.test" in error.details()

    run(main(), limit=60)


def test_srv_and_txt_records_are_asked_for_when_options_say_so() -> None:
    wanted = (("grpc.dns_enable_srv_queries", 1), ("grpc.service_config_disable_resolution", 0))

    async def main() -> None:
        async with dns_server(host="127.0.0.1") as dns, serving(service(Method=echo)) as running:
            await ask(dns.target("host.test", running.port))
            assert not {SRV, TXT} & {kind for _, kind in dns.asked}
            await ask(dns.target("host.test", running.port), *wanted)
            assert ("_grpclb._tcp.host.test", SRV) in dns.asked
            assert ("_grpc_config.host.test", TXT) in dns.asked

    run(main())


def test_names_that_hang_delay_no_others_and_do_not_keep_the_loop() -> None:
    started = 0.0

    async def main() -> None:
        nonlocal started
        async with dns_server(host="127.0.0.1") as dns, serving(service(Method=echo)) as running:
            dns.silent.add("silent.test")
            channels = [aio.insecure_channel(dns.target("silent.test", 1)) for _ in range(20)]
            calls = [channel.unary_unary(METHOD)(b"x") for channel in channels]
            await until(lambda: len(dns.asked) >= 20)
            started = time.monotonic()
            await ask(dns.target("host.test", running.port))
            await ask(f"localhost:{running.port}")
            in_time(started, 2)
            assert not any(call.done() for call in calls)
            started = time.monotonic()

    run(main(), leaves_open=True)
    in_time(started, 2)


def test_names_that_the_machines_own_servers_do_not_know_delay_no_others() -> None:
    """Some machines' servers say so at once, some never answer; the hosts file is not theirs."""
    started = 0.0

    async def main() -> None:
        nonlocal started
        async with serving(service(Method=echo)) as running:
            channels = [aio.insecure_channel(f"no-such-host-{i}.invalid:1") for i in range(8)]
            calls = [channel.unary_unary(METHOD)(b"x") for channel in channels]
            await asyncio.sleep(0.05)
            started = time.monotonic()
            await ask(f"localhost:{running.port}")
            in_time(started, 2)
            del calls
            started = time.monotonic()

    run(main(), leaves_open=True)
    in_time(started, 2)


_ONE_THREAD = """
from support import thread_count
from dns_server import dns_server

METHOD = "/test.Service/Method"

async def main():
    async with dns_server(host="127.0.0.1") as dns, serving(service(Method=echo)) as running:
        for target in TARGETS:
            target = target.format(dns=dns.port, port=running.port)
            async with aio.insecure_channel(target) as channel:
                try:
                    await channel.unary_unary(METHOD)(b"x", timeout=20)
                except grpc.RpcError as error:
                    assert "nobody" in target, error
        return thread_count()

print(uvloop.run(main()), thread_count())
"""


@pytest.mark.uvgrpc_only
def test_lookups_start_no_thread() -> None:
    targets = [
        "localhost:{port}",
        "dns:///localhost:{port}",
        "dns://127.0.0.1:{dns}/host.test:{port}",
        "dns://127.0.0.1:{dns}/nobody.test:{port}",
    ]
    outcome = run_program(f"TARGETS = {targets}\n{_ONE_THREAD}")
    assert (outcome.out, outcome.err) == ("1 1\n", "")


@pytest.mark.uvgrpc_only
def test_the_systems_resolver_is_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRPC_DNS_RESOLVER", "native")
    outcome = run_program(f"TARGETS = ['localhost:{{port}}']\n{_ONE_THREAD}")
    assert outcome.err == ""
    # libuv's pool.
    assert int(outcome.out.split()[0]) > 1


@pytest.mark.uvgrpc_only
def test_closing_the_loop_in_the_middle_of_lookups_leaves_nothing() -> None:
    """At any moment of a lookup."""

    async def main(turns: int) -> None:
        async with dns_server() as dns:
            channel = aio.insecure_channel(dns.target("nobody.test", 1))
            channel.get_state(try_to_connect=True)
            call = channel.unary_unary(METHOD)(b"x")
            for _ in range(turns):
                await asyncio.sleep(0)
            del call

    for turns in range(25):
        run(main(turns), leaves_open=True)
