# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""HTTP proxies that the environment names; here one on the loopback."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import grpc
import pytest
from rig import Forwarder, echo_of, failure_of, looped, wired
from support import aio, unused_port

VARIABLES = ("grpc_proxy", "https_proxy", "http_proxy", "no_grpc_proxy", "no_proxy")

# asyncio's own servers and connections resolve their addresses in libuv's pool.
pytestmark = pytest.mark.pool_threads


class Proxy:
    """What a proxy was asked for.

    Attributes:
      port: where it listens.
      heads: the requests up to their empty lines.
    """

    def __init__(self) -> None:
        self.port = 0
        self.heads: list[str] = []


@contextlib.asynccontextmanager
async def proxying(status: str = "200 OK") -> AsyncIterator[Proxy]:
    """An HTTP proxy that knows CONNECT, and only forwards to the loopback."""
    proxy, forwarder = Proxy(), Forwarder()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        forwarder.keep(writer)
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        proxy.heads.append(head)
        writer.write(f"HTTP/1.1 {status}\r\n\r\n".encode())
        if not status.startswith("200"):
            writer.close()
            return
        port = int(head.split()[1].rsplit(":")[-1])
        there, back = await asyncio.open_connection("127.0.0.1", port)
        forwarder.keep(back)
        forwarder.join(reader, back)
        forwarder.join(there, writer)

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    proxy.port = listener.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        listener.close()
        await forwarder.close()


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize("variable", ["grpc_proxy", "https_proxy", "http_proxy"])
@looped
async def test_the_environment_names_the_proxy(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with proxying() as proxy, wired(echo_of("unary_unary")) as wire:
        monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy.port}")
        async with aio.insecure_channel(wire.target) as channel:
            assert await wire.method(channel=channel)(b"x") == b"x"
        (head,) = proxy.heads
        assert head.startswith(f"CONNECT {wire.target} HTTP/1.1\r\n")


@looped
async def test_user_and_password_of_the_proxy_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    async with proxying() as proxy, wired(echo_of("unary_unary")) as wire:
        monkeypatch.setenv("http_proxy", f"http://user:secret@127.0.0.1:{proxy.port}")
        async with aio.insecure_channel(wire.target) as channel:
            assert await wire.method(channel=channel)(b"x") == b"x"
        # "user:secret" in base64.
        assert "Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=" in proxy.heads[0]


@pytest.mark.parametrize("variable", ["no_grpc_proxy", "no_proxy"])
@looped
async def test_targets_may_be_exempt(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with proxying() as proxy, wired(echo_of("unary_unary")) as wire:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv(variable, "example.test,127.0.0.1")
        async with aio.insecure_channel(wire.target) as channel:
            assert await wire.method(channel=channel)(b"x") == b"x"
        assert proxy.heads == []


@looped
async def test_a_channel_may_decline_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async with proxying() as proxy, wired(echo_of("unary_unary")) as wire:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        options = (("grpc.enable_http_proxy", 0),)
        async with aio.insecure_channel(wire.target, options=options) as channel:
            assert await wire.method(channel=channel)(b"x") == b"x"
        assert proxy.heads == []


@looped
async def test_a_channel_may_name_its_own_proxy() -> None:
    async with proxying() as proxy, wired(echo_of("unary_unary")) as wire:
        options = (("grpc.http_proxy", f"http://127.0.0.1:{proxy.port}"),)
        async with aio.insecure_channel(wire.target, options=options) as channel:
            assert await wire.method(channel=channel)(b"x") == b"x"
        assert len(proxy.heads) == 1


@pytest.mark.writes_stderr
@looped
async def test_a_proxy_that_refuses_makes_the_call_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    async with proxying("403 Forbidden") as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        async with aio.insecure_channel(f"127.0.0.1:{unused_port()}") as channel:
            error = await failure_of(channel.unary_unary("/a/A")(b"", timeout=5))
            assert error.code() is grpc.StatusCode.UNAVAILABLE


@looped
async def test_a_proxy_that_is_not_there_makes_the_call_unavailable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with wired(echo_of("unary_unary")) as wire:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{unused_port()}")
        async with aio.insecure_channel(wire.target) as channel:
            error = await failure_of(wire.method(channel=channel)(b"x", timeout=5))
            assert error.code() is grpc.StatusCode.UNAVAILABLE
