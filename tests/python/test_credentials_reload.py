# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""A TLS server whose certificates change while it runs."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import grpc
import pytest
import tls
from support import aio, echo, run, service

METHOD = "/test.Service/Method"
Configuration = grpc.ServerCertificateConfiguration


def configuration(identity: tls.Identity, roots: bytes | None = None) -> Configuration:
    return grpc.ssl_server_certificate_configuration([identity], roots)


def reloading(
    fetch: Callable[[], Any], initial: Configuration | None = None, mutual: bool = False
) -> grpc.ServerCredentials:
    return grpc.dynamic_ssl_server_credentials(
        initial or configuration(tls.localhost(), tls.authority().roots), fetch, mutual
    )


async def call(port: int, roots: bytes, identity: tls.Identity | None = None) -> str:
    """The outcome of a call on a connection of its own."""
    # A channel of its own: one that failed waits before it connects again.
    async with aio.secure_channel(f"127.0.0.1:{port}", tls.channel_tls(identity, roots)) as channel:
        try:
            await channel.unary_unary(METHOD)(b"")
        except grpc.aio.AioRpcError as error:
            return error.code().name
        return "OK"


def test_each_connection_asks() -> None:
    asked = 0

    def fetch() -> None:
        nonlocal asked
        asked += 1

    async def main() -> None:
        async with tls.serving_tls(reloading(fetch), service(Method=echo)) as running:
            assert asked == 0
            for number in range(1, 4):
                assert await call(running.port, tls.authority().roots) == "OK"
                assert asked == number

    run(main())


def test_a_new_certificate_serves_new_connections() -> None:
    old, new = tls.authority(), tls.Authority()
    current: list[Any] = [None]

    async def main() -> None:
        async with (
            tls.serving_tls(reloading(lambda: current[0]), service(Method=echo)) as running,
            aio.secure_channel(running.target, tls.channel_tls()) as kept,
        ):
            assert await kept.unary_unary(METHOD)(b"") == b""
            assert await call(running.port, old.roots) == "OK"
            assert await call(running.port, new.roots) == "UNAVAILABLE"
            current[0] = configuration(new.issue("127.0.0.1"), new.roots)
            assert await call(running.port, old.roots) == "UNAVAILABLE"
            assert await call(running.port, new.roots) == "OK"
            # It stays, also when nothing new comes.
            current[0] = None
            assert await call(running.port, new.roots) == "OK"
            # The connection of before goes on.
            assert await kept.unary_unary(METHOD)(b"") == b""

    run(main())


def test_new_trust_in_clients() -> None:
    client = tls.Authority()
    identity = client.issue("client.example")
    current: list[Any] = [None]

    async def main() -> None:
        credentials = reloading(lambda: current[0], mutual=True)
        async with tls.serving_tls(credentials, service(Method=echo)) as running:
            roots = tls.authority().roots
            assert await call(running.port, roots, identity) == "UNAVAILABLE"
            current[0] = configuration(tls.localhost(), client.roots)
            assert await call(running.port, roots, identity) == "OK"

    run(main())


@pytest.mark.parametrize("kind", ["raises", "wrong type"])
@pytest.mark.writes_stderr
def test_a_fetch_that_fails_changes_nothing(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    def fetch() -> Any:
        if kind == "raises":
            raise ValueError("no certificate today")
        return "a certificate"

    async def main() -> None:
        async with tls.serving_tls(reloading(fetch), service(Method=echo)) as running:
            assert await call(running.port, tls.authority().roots) == "OK"

    run(main())
    assert len(caplog.records) == 1
    caplog.clear()


@pytest.mark.stock_defect("the second port asks for news, gets none, and cannot be bound")
def test_one_object_for_two_ports() -> None:
    async def main() -> None:
        credentials = reloading(lambda: None)
        server = aio.server()
        server.add_generic_rpc_handlers((service(Method=echo),))
        ports = [server.add_secure_port("127.0.0.1:0", credentials) for _ in range(2)]
        await server.start()
        for port in ports:
            assert await call(port, tls.authority().roots) == "OK"
        await server.stop(None)

    run(main())


@pytest.mark.uvgrpc_only
def test_the_fetcher_may_use_uvgrpc() -> None:
    """It runs deep in core's stack, so what it starts must not run there and then."""
    calls: list[Any] = []

    async def main() -> None:
        async with tls.serving_tls(tls.server_tls(), service(Method=echo)) as other:

            def fetch() -> None:
                channel = aio.secure_channel(other.target, tls.channel_tls())
                calls.append((channel, channel.unary_unary(METHOD)(b"from the fetcher")))
                channel.get_state(try_to_connect=True)
                gc.collect()

            async with tls.serving_tls(reloading(fetch), service(Method=echo)) as running:
                assert await call(running.port, tls.authority().roots) == "OK"
            channel, response = calls.pop()
            assert await response == b"from the fetcher"
            await channel.close()

    run(main())


@pytest.mark.uvgrpc_only
def test_the_fetcher_is_let_go() -> None:
    class Fetcher:
        def __call__(self) -> None:
            pass

    fetcher = Fetcher()
    gone = weakref.ref(fetcher)

    async def main(credentials: grpc.ServerCredentials) -> None:
        async with tls.serving_tls(credentials, service(Method=echo)) as running:
            assert await call(running.port, tls.authority().roots) == "OK"

    run(main(reloading(fetcher)))
    del fetcher
    gc.collect()
    assert gone() is None


def test_a_client_that_never_shakes_hands_is_no_hindrance() -> None:
    import socket

    async def main() -> None:
        async with tls.serving_tls(reloading(lambda: None), service(Method=echo)) as running:
            with socket.create_connection(("127.0.0.1", running.port)):
                assert await call(running.port, tls.authority().roots) == "OK"

    run(main())


def test_against_a_client_of_grpcio() -> None:
    handler = grpc.method_handlers_generic_handler(
        "peer.Service", {"Auth": grpc.unary_unary_rpc_method_handler(tls.auth)}
    )

    async def main() -> Any:
        async with tls.serving_tls(reloading(lambda: None), handler) as running:
            return await tls.stock_tls_client(running.target, tls.authority().roots)

    assert run(main())["properties"]["transport_security_type"] == ["ssl"]
