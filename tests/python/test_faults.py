# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Faults around the engine: peers, networks and systems that fail in the middle of something.

What fails under the engine, call by call, is tests/cpp/faults.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from support import (
    HERE,
    aio,
    echo,
    environment,
    error_of,
    in_time,
    run,
    run_program,
    service,
    serving,
    unused_port,
)

pytestmark = pytest.mark.uvgrpc_only

METHOD = "/test.Service/Method"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = bytes.fromhex("000000040000000000")
# Reconnects come soon.
QUICK = (
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 2000),
    ("grpc.max_reconnect_backoff_ms", 200),
)


def reset(peer: socket.socket) -> None:
    """Ends a connection with a RST."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


@contextlib.asynccontextmanager
async def listening() -> AsyncIterator[socket.socket]:
    """A socket that listens, without anybody who accepts."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


# ---- peers

# What a server sends before it resets the connection, by where that is.
STARTS = {
    "nothing": b"",
    "half a frame's header": SETTINGS[:5],
    "settings": SETTINGS,
    "half of a frame's body": SETTINGS + bytes.fromhex("000010 01 04 00000001") + b"\x88\x5f",
    "a ping too short": SETTINGS + bytes.fromhex("000008 06 00 00000000") + b"1234",
}


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS.keys())
def test_a_reset_in_the_middle_of_a_frame_is_unavailable(start: bytes) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with (
            listening() as listener,
            aio.insecure_channel(f"127.0.0.1:{listener.getsockname()[1]}", options=QUICK) as channel,
        ):
            call = channel.unary_unary(METHOD)(b"x", timeout=20)
            peer, _ = await loop.sock_accept(listener)
            peer.setblocking(False)
            await loop.sock_recv(peer, 1)
            await loop.sock_sendall(peer, start)
            if start.startswith(SETTINGS):
                # Until the request is there, or at least what it begins with.
                await loop.sock_recv(peer, 65536)
            reset(peer)
            listener.close()
            error = await error_of(call)
            assert error.code() == grpc.StatusCode.UNAVAILABLE, error

    run(main())


@pytest.mark.pool_threads
def test_clients_that_reset_anywhere_leave_the_server_well() -> None:
    headers = bytes.fromhex("000026 01 04 00000001") + b"\x83\x86" + bytes(36)
    sent = PREFACE + SETTINGS + headers

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with serving(service(Method=echo)) as running, aio.insecure_channel(running.target) as channel:
            for size in range(len(sent) + 1):
                peer = socket.socket()
                peer.setblocking(False)
                await loop.sock_connect(peer, ("127.0.0.1", running.port))
                await loop.sock_sendall(peer, sent[:size])
                if size % 3 == 0:
                    await asyncio.sleep(0)
                reset(peer)
            assert await channel.unary_unary(METHOD)(b"x", timeout=20) == b"x"

    run(main())


def test_a_server_that_accepts_and_says_nothing_is_given_up() -> None:
    async def main() -> None:
        async with (
            listening() as listener,
            aio.insecure_channel(
                f"127.0.0.1:{listener.getsockname()[1]}",
                options=(("grpc.min_reconnect_backoff_ms", 500), ("grpc.initial_reconnect_backoff_ms", 500)),
            ) as channel,
        ):
            started = time.monotonic()
            error = await error_of(channel.unary_unary(METHOD)(b"x", timeout=20))
            assert error.code() == grpc.StatusCode.UNAVAILABLE
            in_time(started, 15)

    run(main())


@pytest.mark.pool_threads
def test_clients_that_connect_and_say_nothing_are_closed() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        options = (("grpc.server_handshake_timeout_ms", 500),)
        async with serving(service(Method=echo), options=options) as running:
            peers = []
            for _ in range(20):
                peer = socket.socket()
                peer.setblocking(False)
                await loop.sock_connect(peer, ("127.0.0.1", running.port))
                peers.append(peer)
            for peer in peers:
                with contextlib.suppress(ConnectionResetError):
                    while await loop.sock_recv(peer, 4096):
                        pass
                peer.close()

    run(main())


SERVER = """
import asyncio, sys
import grpc.aio

async def echo(request, context):
    await asyncio.sleep(0.005)
    return request

async def main(port):
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(
        "test.Service", {"Method": grpc.unary_unary_rpc_method_handler(echo)}),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    print("ready", flush=True)
    await server.wait_for_termination()

asyncio.run(main(int(sys.argv[1])))
"""

RETRIES = """{"methodConfig": [{"name": [{}], "waitForReady": true, "retryPolicy": {"maxAttempts": 5,
    "initialBackoff": "0.05s", "maxBackoff": "1s", "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"]}}]}"""


@pytest.mark.slow
def test_a_server_that_is_killed_and_restarted_under_load_costs_no_call() -> None:
    port = unused_port()
    answered = 0

    async def start() -> asyncio.subprocess.Process:
        server = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", SERVER, str(port)), stdout=asyncio.subprocess.PIPE, env=environment()
        )
        assert server.stdout is not None
        assert await server.stdout.readline() == b"ready\n"
        return server

    async def main() -> None:
        server = await start()
        done = False

        async def client(number: int, channel: Any) -> None:
            nonlocal answered
            method = channel.unary_unary(METHOD)
            count = 0
            while not done:
                request = b"%d:%d" % (number, count)
                assert await method(request, timeout=60) == request
                count += 1
                answered += 1

        options = (*QUICK, ("grpc.service_config", RETRIES), ("grpc.enable_retries", 1))
        try:
            async with aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
                clients = [asyncio.ensure_future(client(number, channel)) for number in range(20)]
                for _ in range(3):
                    before = answered
                    while answered < before + 100:
                        assert not any(one.done() for one in clients), [one for one in clients if one.done()]
                        await asyncio.sleep(0.01)
                    server.kill()
                    await server.wait()
                    server = await start()
                done = True
                await asyncio.gather(*clients)
        finally:
            server.kill()
            await server.wait()

    run(main(), limit=90)
    assert answered > 300


# ---- networks


def test_the_next_address_is_tried_when_one_is_refused() -> None:
    async def main() -> None:
        async with serving(service(Method=echo)) as running:
            target = f"ipv4:127.0.0.1:{unused_port()},127.0.0.1:{running.port}"
            async with aio.insecure_channel(target) as channel:
                assert await channel.unary_unary(METHOD)(b"x", timeout=20) == b"x"

    run(main())


# Networks that are nobody's (RFC 5737, RFC 3849): refused at once or never answered, as the routes have it.
@pytest.mark.parametrize("target", ["192.0.2.1:1", "[2001:db8::1]:1"])
def test_an_address_without_a_route_fails_in_time(target: str) -> None:
    async def main() -> None:
        async with aio.insecure_channel(target, options=QUICK) as channel:
            started = time.monotonic()
            error = await error_of(channel.unary_unary(METHOD)(b"x", timeout=3))
            assert error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
            in_time(started, 10)

    run(main())


# ---- systems


@pytest.fixture(scope="module")
def odd_system(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a program whose clocks and sockets are preload/odd_system.c's."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    library: Path = tmp_path_factory.mktemp("preload") / "odd_system.so"
    source = HERE / "preload" / "odd_system.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return {"LD_PRELOAD": str(library)}


def test_a_system_without_ipv6_serves_and_calls(odd_system: dict[str, str]) -> None:
    source = """
async def main():
    server = aio.server()
    server.add_generic_rpc_handlers((service(Method=echo),))
    port = server.add_insecure_port("[::]:0")
    await server.start()
    answers = []
    for target in (f"127.0.0.1:{port}", f"localhost:{port}", f"ipv4:127.0.0.1:{port}"):
        async with aio.insecure_channel(target) as channel:
            answers.append((await channel.unary_unary("/test.Service/Method")(b"x", timeout=20)).decode())
    async with aio.insecure_channel(f"[::1]:{port}") as channel:
        try:
            await channel.unary_unary("/test.Service/Method")(b"x", timeout=20)
        except grpc.aio.AioRpcError as error:
            answers.append(error.code().name)
    await server.stop(None)
    print(json.dumps(answers))

uvloop.run(main())
"""
    outcome = run_program(source, environ={**odd_system, "ODD_NO_IPV6": "1"})
    assert outcome.result == ["x", "x", "x", "UNAVAILABLE"]


CLOCKS = """
import ctypes
jump = ctypes.CDLL(None).odd_jump
jump.argtypes = (ctypes.c_int, ctypes.c_longlong)
REALTIME, MONOTONIC = 0, 1

async def hang(request, context):
    remaining.append(context.time_remaining())
    await asyncio.sleep(3600)

remaining = []

async def main():
    report = []
    async with calling(hang) as method:
        for clock, seconds, timeout in CASES:
            call = method(b"x", timeout=timeout)
            while not remaining:
                await asyncio.sleep(0.01)
            started = time.perf_counter_ns() if clock == REALTIME else time.thread_time_ns()
            jump(clock, seconds)
            code = (await call.code()).name
            elapsed = (time.perf_counter_ns() - started) / 1e9 if clock == REALTIME else 0
            report.append([code, elapsed, remaining.pop()])
    async with calling(echo) as method:
        report.append((await method(b"x", timeout=5)).decode())
    print(json.dumps(report))

uvloop.run(main())
"""


def test_deadlines_do_not_follow_jumps_of_the_wall_clock(odd_system: dict[str, str]) -> None:
    cases = "CASES = ((REALTIME, 86400, 1.0), (REALTIME, -2 * 86400, 1.0), (REALTIME, 40 * 365 * 86400, 1.0))"
    source = CLOCKS.replace("remaining = []\n", f"remaining = []\n{cases}\n", 1)
    *report, answer = run_program(source, environ=odd_system).result
    assert answer == "x"
    for code, elapsed, remaining in report:
        assert code == "DEADLINE_EXCEEDED"
        assert 0.5 < elapsed < 20
        assert 0.1 < remaining < 1.1


def test_after_a_jump_of_the_monotonic_clock_what_is_due_is_done(odd_system: dict[str, str]) -> None:
    # As after the sleep of a virtual machine, where its clock goes on.
    source = CLOCKS.replace("remaining = []\n", "remaining = []\nCASES = ((MONOTONIC, 7200, 3600.0),)\n", 1)
    report, answer = run_program(source, environ=odd_system).result
    assert answer == "x"
    assert report[0] == "DEADLINE_EXCEEDED"


def test_out_of_descriptors_a_server_waits_and_goes_on() -> None:
    source = """
import resource, socket

async def main():
    async with serving(service(Method=echo)) as running, aio.insecure_channel(running.target) as channel:
        method = channel.unary_unary("/test.Service/Method")
        await method(b"x", timeout=20)
        used = len(os.listdir("/proc/self/fd"))
        peers = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(60)]
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + 60 + 5, hard))
        cpu = time.process_time()
        await asyncio.sleep(1)
        spent = time.process_time() - cpu
        answer = await method(b"x", timeout=20)
        for peer in peers:
            peer.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        own = (("grpc.use_local_subchannel_pool", 1),)
        async with aio.insecure_channel(running.target, options=own) as late:
            after = await late.unary_unary("/test.Service/Method")(b"y", timeout=20)
    print(json.dumps([answer.decode(), after.decode(), spent]))

uvloop.run(main())
"""
    outcome = run_program(source)
    lines = outcome.err.splitlines()
    assert all("connections wait" in line for line in lines), outcome.err
    answer, after, spent = json.loads(outcome.out)
    assert (answer, after) == ("x", "y")
    assert spent < 0.5


# ---- names


class Oracle(asyncio.DatagramProtocol):
    """A DNS server that answers as it is told to."""

    def __init__(self) -> None:
        self.way = "truth"

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, peer: Any) -> None:
        end = 12
        while data[end]:
            end += data[end] + 1
        question = data[12 : end + 5]
        (kind,) = struct.unpack_from("!H", data, end + 1)
        record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 0, 4) + socket.inet_aton("127.0.0.1")
        count = 1 if kind == 1 else 0

        def message(
            ident: bytes = data[:2], flags: int = 0x8180, body: bytes = question + record * count
        ) -> bytes:
            return ident + struct.pack("!HHHHH", flags, 1, count, 0, 0) + body

        other = bytes([data[0] ^ 1, data[1]])
        answers = {
            "truth": [message()],
            "hang": [],
            "lie about the query": [message(other)],
            "lie about the question": [message(body=b"\x05other\x00" + question[-4:] + record * count)],
            "garbage": [data[:2] + bytes(range(100))],
            "truncated record": [message()[:-3]],
            "endless name": [message(body=question + b"\xc0" + bytes([len(question) + 12]) + bytes(14))],
            "truncate": [message(flags=0x8380, body=question)],
            "refuse": [message(flags=0x8185, body=question)],
            "fail": [message(flags=0x8182, body=question)],
            "empty": [b""],
            "a liar before the truth": [message(other), message()],
        }
        for answer in answers[self.way]:
            self.transport.sendto(answer, peer)


WAYS = (
    *("hang", "lie about the query", "lie about the question", "garbage", "truncated record", "endless name"),
    *("truncate", "refuse", "fail", "empty"),
)


@pytest.mark.slow
@pytest.mark.parametrize("way", [*WAYS, "disappear"])
def test_a_dns_server_that_fails_and_recovers(way: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        transport, oracle = await loop.create_datagram_endpoint(Oracle, sock=listener)
        oracle.way = way
        if way == "disappear":
            transport.abort()
            await asyncio.sleep(0)
        options = (
            *QUICK,
            ("grpc.dns_ares_query_timeout", 1500),
            ("grpc.dns_min_time_between_resolutions_ms", 100),
        )
        async with serving(service(Method=echo)) as running:
            target = f"dns://127.0.0.1:{port}/name.test:{running.port}"
            async with aio.insecure_channel(target, options=options) as channel:
                started = time.monotonic()
                error = await error_of(channel.unary_unary(METHOD)(b"x", timeout=20))
                assert error.code() == grpc.StatusCode.UNAVAILABLE, error
                in_time(started, 15)
                if way == "disappear":
                    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                    listener.bind(("127.0.0.1", port))
                    transport, oracle = await loop.create_datagram_endpoint(Oracle, sock=listener)
                oracle.way = "truth"
                # The same channel asks again.
                call = channel.unary_unary(METHOD)(b"x", timeout=25, wait_for_ready=True)
                assert await call == b"x"
        transport.close()

    run(main())


def test_an_answer_to_another_query_is_ignored() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        listener.bind(("127.0.0.1", 0))
        transport, oracle = await loop.create_datagram_endpoint(Oracle, sock=listener)
        oracle.way = "a liar before the truth"
        async with serving(service(Method=echo)) as running:
            target = f"dns://127.0.0.1:{transport.get_extra_info('sockname')[1]}/name.test:{running.port}"
            async with aio.insecure_channel(target) as channel:
                assert await channel.unary_unary(METHOD)(b"x", timeout=20) == b"x"
        transport.close()

    run(main())
