# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""TLS where only the server has a certificate."""

from __future__ import annotations

import grpc
import grpc.experimental
import pytest
import tls
from support import aio, echo, error_of, run, service

METHOD = "/test.Service/Method"


def _call(
    credentials: grpc.ChannelCredentials,
    server_credentials: grpc.ServerCredentials | None = None,
    options: tuple[tuple[str, str], ...] = (),
) -> grpc.aio.AioRpcError | bytes:
    """The response to a call over TLS, or the error it ends with."""

    async def main() -> grpc.aio.AioRpcError | bytes:
        async with (
            tls.serving_tls(server_credentials or tls.server_tls(), service(Method=echo)) as running,
            aio.secure_channel(running.target, credentials, options) as channel,
        ):
            try:
                response: bytes = await channel.unary_unary(METHOD)(b"hello")
                return response
            except grpc.aio.AioRpcError as error:
                return error.with_traceback(None)

    result: grpc.aio.AioRpcError | bytes = run(main())
    return result


def _unavailable(result: grpc.aio.AioRpcError | bytes, text: str) -> None:
    assert isinstance(result, grpc.aio.AioRpcError)
    assert result.code() is grpc.StatusCode.UNAVAILABLE
    assert text in result.details()


def test_a_thousand_calls() -> None:
    async def main() -> None:
        async with (
            tls.serving_tls(tls.server_tls(), service(Method=echo)) as running,
            aio.secure_channel(running.target, tls.channel_tls()) as channel,
        ):
            method = channel.unary_unary(METHOD)
            for number in range(1000):
                assert await method(b"%d" % number) == b"%d" % number

    run(main())


def test_large_messages() -> None:
    async def main() -> None:
        async with (
            tls.serving_tls(tls.server_tls(), service(Method=echo)) as running,
            aio.secure_channel(running.target, tls.channel_tls()) as channel,
        ):
            message = bytes(range(256)) * 12_000
            assert await channel.unary_unary(METHOD)(message) == message

    run(main())


def test_an_authority_that_is_not_trusted() -> None:
    _unavailable(_call(tls.channel_tls(roots=tls.Authority().roots)), "CERTIFICATE_VERIFY_FAILED")


def test_a_name_that_the_certificate_lacks() -> None:
    identity = tls.authority().issue("other.example")
    result = _call(tls.channel_tls(), tls.server_tls(identity=identity))
    _unavailable(result, "Hostname Verification Check failed")


def test_target_name_override() -> None:
    identity = tls.authority().issue("other.example")
    options = (("grpc.ssl_target_name_override", "other.example"),)
    assert _call(tls.channel_tls(), tls.server_tls(identity=identity), options) == b"hello"


def test_a_plain_client_on_a_tls_port() -> None:
    async def main() -> None:
        async with (
            tls.serving_tls(tls.server_tls(), service(Method=echo)) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            error = await error_of(channel.unary_unary(METHOD)(b""))
            assert error.code() is grpc.StatusCode.UNAVAILABLE

    run(main())


def test_a_tls_client_on_a_plain_port() -> None:
    async def main() -> None:
        server = aio.server()
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with aio.secure_channel(f"127.0.0.1:{port}", tls.channel_tls()) as channel:
            error = await error_of(channel.unary_unary(METHOD)(b""))
            assert error.code() is grpc.StatusCode.UNAVAILABLE
        await server.stop(None)

    run(main())


def test_credentials_of_a_channel_without_security() -> None:
    async def main() -> None:
        server = aio.server()
        server.add_generic_rpc_handlers((service(Method=echo),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        credentials = grpc.experimental.insecure_channel_credentials()
        async with aio.secure_channel(f"127.0.0.1:{port}", credentials) as channel:
            assert await channel.unary_unary(METHOD)(b"hello") == b"hello"
        await server.stop(None)

    run(main())


def test_one_object_for_several_channels_and_ports() -> None:
    async def main() -> None:
        server_credentials, credentials = tls.server_tls(), tls.channel_tls()
        async with (
            tls.serving_tls(server_credentials, service(Method=echo)) as one,
            tls.serving_tls(server_credentials, service(Method=echo)) as two,
            aio.secure_channel(one.target, credentials) as first,
            aio.secure_channel(two.target, credentials) as second,
        ):
            assert await first.unary_unary(METHOD)(b"1") == b"1"
            assert await second.unary_unary(METHOD)(b"2") == b"2"

    run(main())


@pytest.mark.writes_stderr
def test_a_port_with_a_key_that_is_none() -> None:
    async def main() -> None:
        server = aio.server()
        broken = grpc.ssl_server_credentials([(b"no key", tls.localhost().chain)])
        with pytest.raises(RuntimeError, match=r"Failed to bind to address 127\.0\.0\.1:0"):
            server.add_secure_port("127.0.0.1:0", broken)

    run(main())


def test_a_secure_channel_without_credentials() -> None:
    async def main() -> None:
        with pytest.raises(AttributeError):
            aio.secure_channel("127.0.0.1:1", None)

    run(main())


@pytest.mark.uvgrpc_only  # grpcio aborts the process
def test_a_certificate_without_its_key() -> None:
    credentials = grpc.ssl_channel_credentials(certificate_chain=tls.localhost().chain)
    with pytest.raises(ValueError, match="must be given together"):
        aio.secure_channel("127.0.0.1:1", credentials)


def test_against_a_server_of_grpcio() -> None:
    async def main(port: int) -> None:
        async with aio.secure_channel(f"127.0.0.1:{port}", tls.channel_tls()) as channel:
            assert await channel.unary_unary("/peer.Service/Echo")(b"hello") == b"hello"

    with tls.stock_tls_server(tls.localhost()) as port:
        run(main(port))
