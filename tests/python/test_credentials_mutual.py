# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""TLS with certificates on both sides, and what the server then knows of its client."""

from __future__ import annotations

import json
from typing import Any

import grpc
import pytest
import tls
from support import aio, echo, error_of, run, service, serving

AUTH = "/test.Service/Auth"
# What grpcio says of every TLS connection.
TRANSPORT = {"transport_security_type": ["ssl"], "security_level": ["TSI_PRIVACY_AND_INTEGRITY"]}


def client_identity() -> tls.Identity:
    return tls.authority().issue("client.example", "alias.example", common_name="the client")


async def _ask(port: int, identity: tls.Identity | None, method: str = AUTH) -> Any:
    async with aio.secure_channel(f"127.0.0.1:{port}", tls.channel_tls(identity)) as channel:
        return json.loads(await channel.unary_unary(method)(b""))


def test_the_server_knows_the_client() -> None:
    identity = client_identity()

    async def main() -> Any:
        async with tls.serving_tls(tls.server_tls(mutual=True), service(Auth=tls.auth)) as running:
            return await _ask(running.port, identity)

    told = run(main())
    assert told["key"] == "x509_subject_alternative_name"
    assert told["identities"] == ["client.example", "alias.example"]
    properties = told["properties"]
    assert properties["x509_common_name"] == ["the client"]
    assert properties["x509_pem_cert"] == [identity.chain.decode()]
    assert {key: properties[key] for key in TRANSPORT} == TRANSPORT


def test_without_a_client_certificate_nobody_is_known() -> None:
    async def main() -> Any:
        async with tls.serving_tls(tls.server_tls(), service(Auth=tls.auth)) as running:
            # The client has a certificate; it is not asked for it.
            return await _ask(running.port, client_identity())

    told = run(main())
    assert (told["identities"], told["key"]) == (None, None)
    assert {key: told["properties"][key] for key in TRANSPORT} == TRANSPORT


def test_a_plain_port_knows_nobody() -> None:
    async def main() -> Any:
        async with (
            serving(service(Auth=tls.auth)) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            return json.loads(await channel.unary_unary(AUTH)(b""))

    told = run(main())
    assert (told["identities"], told["key"]) == (None, None)
    assert told["properties"] == {
        "transport_security_type": ["insecure"],
        "security_level": ["TSI_SECURITY_NONE"],
    }


@pytest.mark.parametrize("who", ["nobody", "a stranger"])
def test_a_client_that_the_server_does_not_trust(who: str) -> None:
    identity = tls.Authority().issue("client.example") if who == "a stranger" else None

    async def main() -> None:
        async with (
            tls.serving_tls(tls.server_tls(mutual=True), service(Method=echo)) as running,
            aio.secure_channel(running.target, tls.channel_tls(identity)) as channel,
        ):
            error = await error_of(channel.unary_unary("/test.Service/Method")(b""))
            assert error.code() is grpc.StatusCode.UNAVAILABLE

    run(main())


@pytest.mark.uvgrpc_only
@pytest.mark.parametrize("mutual", [True, False])
def test_the_same_is_known_as_with_grpcio(mutual: bool) -> None:
    """Of four pairs of client and server, each server says the same."""
    identity = client_identity() if mutual else None
    roots = tls.authority().roots

    async def main(stock_port: int) -> list[Any]:
        credentials = tls.server_tls(mutual=mutual)
        async with tls.serving_tls(credentials, service(Auth=tls.auth), peer_auth()) as running:
            return [
                await _ask(running.port, identity),
                await _ask(stock_port, identity, "/peer.Service/Auth"),
                await tls.stock_tls_client(running.target, roots, identity),
                await tls.stock_tls_client(f"127.0.0.1:{stock_port}", roots, identity),
            ]

    with tls.stock_tls_server(tls.localhost(), roots=roots if mutual else None) as port:
        told = run(main(port))
    assert told[0]["properties"]
    assert told == [told[0]] * 4


def peer_auth() -> grpc.GenericRpcHandler:
    return grpc.method_handlers_generic_handler(
        "peer.Service", {"Auth": grpc.unary_unary_rpc_method_handler(tls.auth)}
    )


def test_a_client_of_grpcio_without_a_certificate() -> None:
    async def main() -> Any:
        async with tls.serving_tls(tls.server_tls(mutual=True), peer_auth()) as running:
            return await tls.stock_tls_client(running.target, tls.authority().roots)

    assert run(main()) == "UNAVAILABLE"
