# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""TLS that is not as it should be, storms of handshakes, and certificates that change under load.

Wrong names and authorities are in test_credentials_tls.py, strangers in test_credentials_mutual.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ssl
import tempfile
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import tls
import trustme
from hostile.attacks import client_hello, handshake_storm
from hostile.server import attacked
from peers import frames
from support import aio, echo, environment, error_of, run, service, until

pytestmark = [pytest.mark.uvgrpc_only, pytest.mark.writes_stderr]

METHOD = "/test.Service/Method"


@contextlib.asynccontextmanager
async def _serving(credentials: grpc.ServerCredentials | None = None) -> AsyncIterator[Any]:
    async with tls.serving_tls(credentials or tls.server_tls(), service(Method=echo)) as running:
        yield running


def _context(alpn: list[str] | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=tls.authority().roots.decode())
    context.set_alpn_protocols(alpn if alpn is not None else ["h2"])
    return context


async def _is_served(port: int) -> None:
    async with aio.secure_channel(f"localhost:{port}", tls.channel_tls()) as channel:
        assert await channel.unary_unary(METHOD)(b"x") == b"x"


async def _refuses(port: int, context: ssl.SSLContext) -> None:
    """No HTTP/2 is spoken on a connection that is made with `context`."""
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        async with asyncio.timeout(10):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=context, server_hostname="localhost"
            )
            try:
                writer.write(frames.PREFACE + frames.frame(frames.SETTINGS, 0, 0))
                # The end, and nothing before it.
                assert await reader.read() == b""
            finally:
                writer.transport.abort()


@contextlib.contextmanager
def _expired() -> Any:
    ca = trustme.CA()
    past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    made = ca.issue_cert("localhost", "127.0.0.1", not_after=past)
    chain = b"".join(pem.bytes() for pem in made.cert_chain_pems)
    yield tls.Identity(made.private_key_pem.bytes(), chain), ca.cert_pem.bytes()


def test_a_server_with_an_expired_certificate_is_not_trusted() -> None:
    async def main() -> None:
        with _expired() as (identity, roots):
            async with (
                _serving(tls.server_tls(identity=identity)) as running,
                aio.secure_channel(running.target, tls.channel_tls(roots=roots)) as channel,
            ):
                error = await error_of(channel.unary_unary(METHOD)(b""))
                assert error.code() is grpc.StatusCode.UNAVAILABLE
                assert "CERTIFICATE_VERIFY_FAILED" in (error.details() or "")

    run(main())


def test_a_client_with_an_expired_certificate_is_not_served() -> None:
    async def main() -> None:
        with _expired() as (identity, roots):
            credentials = grpc.ssl_server_credentials([tls.localhost()], roots, True)
            async with (
                _serving(credentials) as running,
                aio.secure_channel(running.target, tls.channel_tls(identity)) as channel,
            ):
                error = await error_of(channel.unary_unary(METHOD)(b""))
                assert error.code() is grpc.StatusCode.UNAVAILABLE

    run(main())


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_are_refused(newest: ssl.TLSVersion) -> None:
    async def main() -> None:
        async with _serving() as running:
            context = _context()
            context.set_ciphers("ALL:@SECLEVEL=0")
            with pytest.warns(DeprecationWarning, match="deprecated"):
                context.minimum_version = ssl.TLSVersion.TLSv1
            with pytest.warns(DeprecationWarning, match="deprecated"):
                context.maximum_version = newest
            await _refuses(running.port, context)
            await _is_served(running.port)

    run(main())


@pytest.mark.parametrize("protocols", [[], ["http/1.1"], ["nonsense"]])
def test_a_client_that_does_not_ask_for_http2_is_refused(protocols: list[str]) -> None:
    async def main() -> None:
        async with _serving() as running:
            await _refuses(running.port, _context(protocols))
            await _is_served(running.port)

    run(main())


def test_a_server_that_does_not_offer_http2_is_refused() -> None:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await reader.read()
        writer.close()
        ended.set()

    async def main() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        identity = tls.localhost()
        with tempfile.NamedTemporaryFile() as file:
            file.write(identity.key + identity.chain)
            file.flush()
            context.load_cert_chain(file.name)
        path = f"{folder}/socket"
        server = await asyncio.start_unix_server(accept, path, ssl=context)
        options = [("grpc.ssl_target_name_override", "localhost")]
        async with aio.secure_channel(f"unix:{path}", tls.channel_tls(), options=options) as channel:
            error = await error_of(channel.unary_unary(METHOD)(b"", timeout=20))
            assert error.code() is grpc.StatusCode.UNAVAILABLE
        async with asyncio.timeout(10):
            await ended.wait()
        server.close()

    ended = asyncio.Event()
    with tempfile.TemporaryDirectory() as folder:
        run(main())


def test_renegotiation_is_refused() -> None:
    """TLS 1.2 had it. Python's ssl cannot ask for it: `openssl s_client` does, at an R."""

    async def main() -> None:
        async with _serving() as running:
            process = await asyncio.create_subprocess_exec(
                *("openssl", "s_client", "-connect", f"127.0.0.1:{running.port}", "-tls1_2", "-alpn", "h2"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            assert process.stdin is not None
            assert process.stdout is not None
            said = b""
            while b"Verify return code" not in said:
                piece = await process.stdout.read(1 << 16)
                assert piece, said
                said += piece
            process.stdin.write(b"R\n")
            async with asyncio.timeout(20):
                rest = await process.stdout.read()
            # That there is an end of it says that the connection was closed.
            assert b"RENEGOTIATING" in rest
            process.stdin.close()
            await process.wait()
            await _is_served(running.port)

    run(main())


def test_a_storm_of_handshakes_leaves_nothing() -> None:
    identity = tls.localhost()
    secrets = {"key": identity.key.decode(), "chain": identity.chain.decode()}

    async def main() -> None:
        with attacked(environ=environment(), **secrets) as target:
            async with aio.secure_channel(f"localhost:{target.port}", tls.channel_tls()) as channel:
                method = channel.unary_unary("/t/Echo")
                assert await method(b"x") == b"x"
                floor = await target.figures()
                storm = asyncio.ensure_future(handshake_storm(200, 50)(target.port))
                for index in range(100):
                    assert await method(b"%d" % index, timeout=20) == b"%d" % index
                    await asyncio.sleep(0.005)
                storm.cancel()
                await asyncio.wait([storm])
                await target.back_to(floor)

    run(main(), limit=90)


def test_handshakes_at_once_are_spread_over_turns() -> None:
    """In the time that all of them take the loop turns many times."""
    count = 150

    async def main() -> None:
        async with _serving() as running:
            hello = client_hello()
            streams = await asyncio.gather(
                *(asyncio.open_connection("127.0.0.1", running.port) for _ in range(count))
            )
            turns = 0
            answered = 0

            async def one(reader: asyncio.StreamReader) -> None:
                nonlocal answered
                assert await reader.read(100)
                answered += 1

            async def count_turns() -> None:
                nonlocal turns
                while answered < count:
                    turns += 1
                    await asyncio.sleep(0)

            for _, writer in streams:
                writer.write(hello)
            await asyncio.gather(count_turns(), *(one(reader) for reader, _ in streams))
            # Each takes a fraction of a millisecond at the least, of a turn of four.
            assert turns >= 5
            for _, writer in streams:
                writer.transport.abort()

    run(main())


def test_a_certificate_that_changes_under_load() -> None:
    """Every call is answered, on old connections and on new ones."""
    authority = tls.authority()
    identities = [authority.issue("localhost", "127.0.0.1") for _ in range(4)]
    fetched = 0

    def fetch() -> grpc.ServerCertificateConfiguration:
        nonlocal fetched
        fetched += 1
        return grpc.ssl_server_certificate_configuration([identities[fetched % 4]])

    async def main() -> None:
        initial = grpc.ssl_server_certificate_configuration([identities[0]])
        credentials = grpc.dynamic_ssl_server_credentials(initial, fetch, False)
        async with _serving(credentials) as running:
            answered = 0

            async def steady() -> None:
                nonlocal answered
                async with aio.secure_channel(running.target, tls.channel_tls()) as channel:
                    while fetched < 30:
                        assert await channel.unary_unary(METHOD)(b"x") == b"x"
                        answered += 1

            async def anew() -> None:
                for _ in range(15):
                    options = [("grpc.use_local_subchannel_pool", 1)]
                    async with aio.secure_channel(running.target, tls.channel_tls(), options) as channel:
                        assert await channel.unary_unary(METHOD)(b"x") == b"x"

            await asyncio.gather(steady(), anew(), anew())
            await until(lambda: fetched >= 30)
            assert answered > 0

    run(main())
