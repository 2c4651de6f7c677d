# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""stop(): it goes on whoever waits for it; and what comes after it."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import struct
import time
from typing import Any

import grpc
import pytest
import tls
from own_sockets import bound, server_of
from own_sockets import serving as serving_socket
from peers import frames
from support import aio, echo, in_time, no_residents, run, service, serving, unused_port

pytestmark = pytest.mark.uvgrpc_only

METHOD = "/test.Service/Method"
QUIT = "/test.Service/Quit"


class Slow:
    """A handler that takes its time, which is to be cut short or not."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.entered = asyncio.Event()

    async def __call__(self, request: bytes, context: Any) -> bytes:
        self.entered.set()
        await asyncio.sleep(self.seconds)
        return request


async def _called(channel: Any, slow: Slow) -> Any:
    call = channel.unary_unary(METHOD)(b"x")
    await slow.entered.wait()
    return call


@pytest.mark.parametrize("give_up", ["timeout", "cancel", "wait_for"])
def test_a_stop_that_is_given_up_goes_on(give_up: str) -> None:
    async def main() -> None:
        slow = Slow(0.5)
        async with serving(service(Method=slow)) as running, aio.insecure_channel(running.target) as channel:
            call = await _called(channel, slow)
            server = running.server
            waiting = [asyncio.create_task(server.wait_for_termination()) for _ in range(3)]
            if give_up == "timeout":
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await server.stop(30)
            elif give_up == "wait_for":
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(server.stop(30), 0.1)
            else:
                stopping = asyncio.create_task(server.stop(30))
                await asyncio.sleep(0.1)
                stopping.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await stopping
            assert not any(one.done() for one in waiting)
            assert await call == b"x"
            async with asyncio.timeout(5):
                assert await asyncio.gather(*waiting) == [False] * 3
                assert await server.wait_for_termination() is False

    run(main())


def test_the_grace_of_a_stop_that_is_given_up_ends_in_time() -> None:
    async def main() -> None:
        slow = Slow(3600)
        async with serving(service(Method=slow)) as running, aio.insecure_channel(running.target) as channel:
            call = await _called(channel, slow)
            stopping = asyncio.create_task(running.server.stop(0.3))
            await asyncio.sleep(0.05)
            stopping.cancel()
            started = time.monotonic()
            assert await call.code() is grpc.StatusCode.UNAVAILABLE
            await running.server.wait_for_termination()
            in_time(started, 5)

    run(main())


@pytest.mark.parametrize("grace", [None, 0, 0.2, 30])
def test_a_handler_may_stop_its_own_server(grace: float | None) -> None:
    """It waits for its own end, which is the end of its patience or of the grace."""

    async def main() -> None:
        async def stop(request: bytes, context: Any) -> bytes:
            await asyncio.wait_for(server.stop(grace), 0.5)
            return b""

        server = aio.server(handlers=[service(Quit=stop, Method=echo)])
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = channel.unary_unary(QUIT)(b"")
            async with asyncio.timeout(5):
                assert await server.wait_for_termination() is False
                assert await call.code() is not grpc.StatusCode.OK
        await server.stop(None)

    run(main())


def test_a_handler_may_have_its_server_stopped_and_answer() -> None:
    async def main() -> None:
        stops = []

        async def stop(request: bytes, context: Any) -> bytes:
            stops.append(asyncio.create_task(server.stop(30)))
            await asyncio.sleep(0)
            return b"bye"

        server = aio.server(handlers=[service(Quit=stop)])
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            assert await channel.unary_unary(QUIT)(b"") == b"bye"
            async with asyncio.timeout(5):
                await server.wait_for_termination()
                await stops[0]

    run(main())


@pytest.mark.parametrize("graces", [(30, None), (30, 0.1), (None, 30), (0.1, 30), (30, 30, 0.1, None)])
def test_of_several_stops_the_one_that_ends_first_decides(graces: tuple[float | None, ...]) -> None:
    async def main() -> None:
        slow = Slow(3600)
        async with serving(service(Method=slow)) as running, aio.insecure_channel(running.target) as channel:
            call = await _called(channel, slow)
            started = time.monotonic()
            await asyncio.gather(*[running.server.stop(grace) for grace in graces])
            in_time(started, 5)
            assert await call.code() is grpc.StatusCode.UNAVAILABLE

    run(main())


def test_a_second_stop_waits_as_the_first_does() -> None:
    async def main() -> None:
        slow = Slow(0.3)
        async with serving(service(Method=slow)) as running, aio.insecure_channel(running.target) as channel:
            call = await _called(channel, slow)
            first = asyncio.create_task(running.server.stop(30))
            await asyncio.sleep(0)
            second = asyncio.create_task(running.server.stop(20))
            await asyncio.sleep(0.05)
            first.cancel()
            await second
            assert await call == b"x"
            await running.server.stop(None)

    run(main())


def test_a_server_that_nobody_holds_stops_after_its_grace() -> None:
    async def main() -> None:
        slow = Slow(3600)
        server = aio.server(handlers=[service(Method=slow)])
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = await _called(channel, slow)
            stopping = asyncio.create_task(server.stop(0.2))
            await asyncio.sleep(0.05)
            stopping.cancel()
            del server, stopping
            gc.collect()
            async with asyncio.timeout(5):
                assert await call.code() is not grpc.StatusCode.OK
        await no_residents()

    run(main())


def test_a_loop_may_be_closed_while_a_server_stops() -> None:
    async def main() -> None:
        slow = Slow(3600)
        server = aio.server(handlers=[service(Method=slow)])
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        channel = aio.insecure_channel(f"127.0.0.1:{port}")
        kept.extend((server, channel, await _called(channel, slow)))
        kept.append(asyncio.create_task(server.stop(3600)))
        await asyncio.sleep(0.05)

    async def afterwards() -> None:
        await kept[0].stop(None)
        assert await kept[0].wait_for_termination() is False

    kept: list[Any] = []
    run(main(), leaves_open=True)
    run(afterwards())


# ---- ports


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def _add_insecure(server: Any, port: int) -> int:
    number: int = server.add_insecure_port(f"127.0.0.1:{port}")
    return number


def _add_secure(server: Any, port: int) -> int:
    number: int = server.add_secure_port(f"127.0.0.1:{port}", tls.server_tls())
    return number


either_kind = pytest.mark.parametrize("add", [_add_insecure, _add_secure])


@either_kind
@pytest.mark.parametrize("started", [False, True])
def test_a_port_after_stop_is_refused_and_not_bound(add: Any, started: bool) -> None:
    async def main() -> None:
        server, port = aio.server(), unused_port()
        if started:
            await server.start()
        await server.stop(None)
        with pytest.raises(RuntimeError, match="no port can be added: the server was stopped"):
            add(server, port)
        assert _is_free(port)
        kept.append(server)

    kept: list[Any] = []
    run(main())
    with pytest.raises(RuntimeError, match="no port can be added"):
        add(kept[0], 0)


@either_kind
def test_a_port_while_the_server_stops_is_refused(add: Any) -> None:
    async def main() -> None:
        slow = Slow(0.2)
        async with serving(service(Method=slow)) as running, aio.insecure_channel(running.target) as channel:
            call = await _called(channel, slow)
            stopping = asyncio.create_task(running.server.stop(30))
            await asyncio.sleep(0)
            with pytest.raises(RuntimeError, match="no port can be added: the server was stopped"):
                add(running.server, 0)
            assert await call == b"x"
            await stopping

    run(main())


@either_kind
def test_a_port_after_start_is_refused(add: Any) -> None:
    """core would bind it and never accept: clients would wait for their deadline."""

    async def main() -> None:
        async with serving(service(Method=echo)) as running:
            with pytest.raises(RuntimeError, match="no port can be added: the server has started"):
                add(running.server, 0)

    run(main())


@either_kind
@pytest.mark.parametrize("started", [False, True])
def test_a_port_after_the_loops_end_is_refused(add: Any, started: bool) -> None:
    async def main() -> None:
        server = aio.server()
        if started:
            server.add_insecure_port("127.0.0.1:0")
            await server.start()
        kept.append(server)

    kept: list[Any] = []
    run(main(), leaves_open=True)
    with pytest.raises(RuntimeError, match="no port can be added: the server's event loop was closed"):
        add(kept[0], 0)


@pytest.mark.parametrize("registered", [False, True])
def test_what_comes_before_a_client_knows_of_the_stop_is_served(registered: bool) -> None:
    """RFC 9113, 6.8: a client has heard of it once it answers the PING behind the first GOAWAY."""

    async def main() -> None:
        server = aio.server()
        handler = grpc.unary_unary_rpc_method_handler(echo)
        if registered:
            server.add_registered_method_handlers("test.Service", {"Method": handler})
        else:
            server.add_generic_rpc_handlers((service(Method=echo),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        client = await frames.Connection.open(port)
        await client.ping()
        stopping = asyncio.create_task(server.stop(60))
        _, _, _, goaway = await client.until(frames.GOAWAY)
        assert struct.unpack(">II", goaway[:8]) == (0x7FFFFFFF, 0)
        _, _, _, opaque = await client.until(frames.PING)
        await asyncio.sleep(0.1)
        client.writer.write(frames.request(1, frames.headers(METHOD), b"late"))
        _, _, stream, data = await client.until(frames.DATA)
        assert (stream, data) == (1, b"\0\0\0\0\x04late")
        assert not stopping.done()
        with pytest.raises(OSError, match="refused"):
            await asyncio.open_connection("127.0.0.1", port)
        client.writer.write(frames.frame(frames.PING, 1, 0, opaque))
        _, _, _, goaway = await client.until(frames.GOAWAY)
        assert struct.unpack(">II", goaway[:8]) == (1, 0)
        began = time.monotonic()
        await stopping
        in_time(began, 1)
        client.close()

    run(main())


def _waiting(port: int, count: int) -> list[socket.socket]:
    """Connections that the kernel has made and no server has accepted."""
    made = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
    for connection in made:
        connection.setblocking(False)
    return made


@either_kind
def test_connections_that_wait_to_be_accepted_are_served(add: Any) -> None:
    """Their clients have no other way to know than that the connection was lost."""
    trusting = ssl.create_default_context(cadata=tls.authority().roots.decode())
    trusting.set_alpn_protocols(["h2"])
    encrypted = {"ssl": trusting, "server_hostname": "localhost"} if add is _add_secure else {}

    async def call(waiting: socket.socket) -> bytes:
        client = frames.Connection(*await asyncio.open_connection(sock=waiting, **encrypted))  # type: ignore[arg-type]
        client.greet()
        client.writer.write(frames.request(1, frames.headers(METHOD), b"x"))
        _, _, _, data = await client.until(frames.DATA)
        client.writer.transport.abort()  # TLS would wait for the server's goodbye
        return data

    async def main() -> None:
        server = aio.server(handlers=[service(Method=echo)])
        port = add(server, 0)
        await server.start()
        waiting = _waiting(port, 40)
        stopping = asyncio.create_task(server.stop(20))
        await asyncio.sleep(0)
        assert _is_free(port)
        assert await asyncio.gather(*map(call, waiting)) == [b"\0\0\0\0\1x"] * 40
        began = time.monotonic()
        await stopping
        in_time(began, 1)

    run(main())


def test_a_handshake_that_does_not_end_holds_a_stop_up_for_a_second() -> None:
    async def main() -> None:
        server = aio.server(handlers=[service(Method=echo)])
        port = _add_secure(server, 0)
        await server.start()
        began = time.monotonic()
        waiting = _waiting(port, 3)
        waiting[0].send(b"\x16\x03\x01")
        await server.stop(20)
        assert time.monotonic() - began > 0.9
        in_time(began, 3)
        for connection in waiting:
            connection.close()

    run(main())


def test_a_socket_in_common_leaves_to_others_what_waits() -> None:
    """A server that was given its socket takes nothing of who has it next."""

    async def main() -> None:
        with bound(listen=True) as common:
            first = server_of()
            port = first.add_socket(common)
            await first.start()
            waiting = _waiting(port, 3)
            await first.stop(20)
            async with serving_socket(common):
                for one in waiting:
                    client = frames.Connection(*await asyncio.open_connection(sock=one))
                    client.greet()
                    await client.ping()
                    client.close()

    run(main())


@pytest.mark.parametrize("grace", [None, 0.3])
def test_a_client_that_does_not_answer_does_not_keep_a_stop(grace: float | None) -> None:
    async def main() -> None:
        async with serving(service(Method=echo)) as running:
            client = await frames.Connection.open(int(running.target.rsplit(":", 1)[1]))
            await client.ping()
            began = time.monotonic()
            await running.server.stop(grace)
            # libuv's clock counts whole milliseconds.
            assert time.monotonic() - began >= (grace or 0) - 0.002
            in_time(began, 1 + (grace or 0))
            client.close()

    run(main())


def test_clients_notice_nothing_of_servers_that_take_turns() -> None:
    """Each is stopped with time left while 20 clients call, as in a rolling restart."""

    async def main() -> None:
        def start() -> Any:
            server = aio.server()
            server.add_generic_rpc_handlers((service(Method=echo),))
            assert server.add_insecure_port(f"127.0.0.1:{port}") == port
            return server

        port = unused_port()
        server = start()
        await server.start()
        over = False

        async def calls() -> int:
            count = 0
            async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                while not over:
                    assert await channel.unary_unary(METHOD)(b"x", wait_for_ready=True) == b"x"
                    count += 1
            return count

        clients = [asyncio.create_task(calls()) for _ in range(20)]
        for _ in range(10):
            await asyncio.sleep(0.05)
            following = start()
            await following.start()
            await server.stop(20)
            server = following
        over = True
        assert min(await asyncio.gather(*clients)) > 10
        await server.stop(None)

    run(main())
