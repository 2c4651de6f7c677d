# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Channels over connected sockets that the process was given."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
from pathlib import Path
from typing import Any

import grpc
import pytest
from own_sockets import UU, answers_itself, bound, serving
from support import LIMIT, error_of, open_files, run, until
from tls import channel_tls, server_tls

import uvgrpc
from uvgrpc import loop_stats

pytestmark = pytest.mark.uvgrpc_only


def connected(own: socket.socket) -> socket.socket:
    """The kernel answers for a socket that listens."""
    client = socket.socket(own.family)
    client.connect(own.getsockname())
    return client


@pytest.mark.parametrize("family", ["IPv4", "IPv6", "Unix"])
@pytest.mark.parametrize("secure", [True, False])
@pytest.mark.parametrize("given", ["socket", "descriptor"])
def test_a_channel_over_a_socket(family: str, secure: bool, given: str, tmp_path: Path) -> None:
    async def main() -> None:
        own = {
            "IPv4": lambda: bound(),
            "IPv6": lambda: bound(socket.AF_INET6, ("::1", 0)),
            "Unix": lambda: bound(socket.AF_UNIX, str(tmp_path / "socket")),
        }[family]()
        with own:
            async with serving(own, server_tls() if secure else None):
                client = connected(own)
                channel = uvgrpc.channel_from_socket(
                    client if given == "socket" else client.fileno(),
                    channel_tls() if secure else None,
                    authority="localhost",
                )
                client.close()
                async with channel:
                    await asyncio.wait_for(channel.channel_ready(), LIMIT)
                    assert await channel.unary_unary(UU)(b"x") == b"x"
                    calls = [channel.unary_unary(UU)(b"%d" % i) for i in range(100)]
                    assert await asyncio.gather(*calls) == [b"%d" % i for i in range(100)]

    run(main())


@pytest.mark.writes_stderr
def test_a_certificate_for_another_name() -> None:
    async def main() -> None:
        with bound() as own:
            async with serving(own, server_tls()):
                for authority in (None, "elsewhere.test"):
                    with connected(own) as client:
                        channel = uvgrpc.channel_from_socket(client, channel_tls(), authority=authority)
                    async with channel:
                        if authority is None:  # 127.0.0.1, which the certificate has
                            assert await channel.unary_unary(UU)(b"x", timeout=LIMIT) == b"x"
                            continue
                        # The connection is used up by the first, but the reason stays.
                        for _ in range(2):
                            error = await error_of(channel.unary_unary(UU)(b"x", timeout=LIMIT))
                            assert error.code() is grpc.StatusCode.UNAVAILABLE
                            assert "Hostname Verification Check failed" in error.details()

    run(main())


def test_a_channel_never_connects_elsewhere() -> None:
    async def main() -> None:
        with bound() as own:
            async with serving(own) as port:
                with connected(own) as client:
                    channel = uvgrpc.channel_from_socket(client)
                assert await channel.unary_unary(UU)(b"x", timeout=LIMIT) == b"x"
            error = await error_of(channel.unary_unary(UU)(b"x", timeout=LIMIT))
            assert error.code() is grpc.StatusCode.UNAVAILABLE
            # The very address is served again.
            async with serving(own) as again:
                assert again == port
                for _ in range(5):
                    error = await error_of(channel.unary_unary(UU)(b"x", timeout=LIMIT))
                    assert error.code() is grpc.StatusCode.UNAVAILABLE
                    assert "the connection that this channel was made from is lost" in error.details()
                    assert f"127.0.0.1:{port}" in error.details()
                assert channel.get_state(True) is grpc.ChannelConnectivity.TRANSIENT_FAILURE
            await channel.close()

    run(main())


def test_a_connection_that_ends_under_a_call() -> None:
    async def main() -> None:
        begun = asyncio.Event()

        async def handler(_request: bytes, _context: Any) -> bytes:
            begun.set()
            await asyncio.sleep(3600)
            return b""

        with bound() as own:
            async with serving(own, None, handler):
                with connected(own) as client:
                    channel = uvgrpc.channel_from_socket(client)
                call = channel.unary_unary(UU)(b"x")
                await asyncio.wait_for(begun.wait(), LIMIT)
            error = await error_of(call)
            assert error.code() is grpc.StatusCode.UNAVAILABLE
            await channel.close()

    run(main())


def test_a_channel_over_a_pair() -> None:
    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def main() -> None:
        with bound() as own:
            async with serving(own) as port:
                ours, theirs = socket.socketpair()
                inner = await asyncio.open_connection(sock=theirs)
                outer = await asyncio.open_connection("127.0.0.1", port)
                pumps = [
                    asyncio.ensure_future(pump(inner[0], outer[1])),
                    asyncio.ensure_future(pump(outer[0], inner[1])),
                ]
                channel = uvgrpc.channel_from_socket(ours)
                ours.close()
                assert await channel.unary_unary(UU)(b"x", timeout=LIMIT) == b"x"
                await channel.close()
                await asyncio.wait_for(asyncio.gather(*pumps), LIMIT)

    run(main())


def test_a_peer_that_is_gone() -> None:
    async def main() -> None:
        ours, theirs = socket.socketpair()
        theirs.close()
        channel = uvgrpc.channel_from_socket(ours)
        ours.close()
        for _ in range(2):
            error = await error_of(channel.unary_unary(UU)(b"x", timeout=LIMIT))
            assert error.code() is grpc.StatusCode.UNAVAILABLE
        await channel.close()

    run(main())


def test_a_channel_that_is_not_used_leaves_nothing() -> None:
    async def main() -> None:
        files = open_files()
        residents = loop_stats().residents
        for _ in range(3):
            ours, theirs = socket.socketpair()
            channel = uvgrpc.channel_from_socket(ours)
            ours.close()
            await channel.close()
            channel = uvgrpc.channel_from_socket(theirs)
            theirs.close()
            del channel
            gc.collect()
        await until(lambda: gc.collect() is not None and open_files() == files)
        assert loop_stats().residents == residents

    run(answers_itself())
    run(main())


def test_a_channel_that_is_made_before_its_loop() -> None:
    own = bound(listen=True)
    client = socket.create_connection(own.getsockname())
    channel = uvgrpc.channel_from_socket(client)
    client.close()

    async def main() -> None:
        async with serving(own):
            assert await channel.unary_unary(UU)(b"x", timeout=LIMIT) == b"x"

    async def later() -> None:
        with pytest.raises(RuntimeError, match="has only the one"):
            channel.unary_unary(UU)(b"x")

    run(main(), leaves_open=True)
    run(later())
    own.close()


def test_a_channel_that_never_has_a_loop_lets_go() -> None:
    files = open_files()
    ours, theirs = socket.socketpair()
    channel = uvgrpc.channel_from_socket(ours)
    ours.close()
    theirs.close()
    del channel
    gc.collect()
    assert open_files() == files


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: bound(listen=True), r"this one listens at 127\.0\.0\.1:\d+.*add_socket"),
        (socket.socket, "the socket is not connected"),
        (lambda: socket.socketpair(type=socket.SOCK_DGRAM)[0], "SOCK_DGRAM"),
    ],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_socket_that_a_channel_cannot_use(make: Any, text: str) -> None:
    with make() as own, pytest.raises(ValueError, match=text):
        uvgrpc.channel_from_socket(own)
