# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Connections that do not leave the machine: local credentials, TLS on a Unix socket."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import grpc
import pytest
import tls
from support import aio, echo, error_of, run, service

METHOD = "/test.Service/Method"
TCP, UDS = grpc.LocalConnectionType.LOCAL_TCP, grpc.LocalConnectionType.UDS


def token() -> grpc.CallCredentials:
    return grpc.access_token_call_credentials("secret")


async def _authorization(_request: bytes, context: Any) -> bytes:
    value: str = dict(context.invocation_metadata()).get("authorization", "")
    return value.encode()


def test_tcp() -> None:
    async def main() -> Any:
        async with (
            tls.serving_tls(grpc.local_server_credentials(TCP), service(Method=tls.auth)) as running,
            aio.secure_channel(running.target, grpc.local_channel_credentials(TCP)) as channel,
        ):
            return json.loads(await channel.unary_unary(METHOD)(b""))

    properties = run(main())["properties"]
    assert properties["transport_security_type"] == ["local"]
    assert properties["security_level"] == ["TSI_PRIVACY_AND_INTEGRITY"]


def test_unix_socket(tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/socket"

    async def main() -> Any:
        async with (
            tls.serving_at(address, grpc.local_server_credentials(UDS), service(Method=tls.auth)),
            aio.secure_channel(address, grpc.local_channel_credentials(UDS)) as channel,
        ):
            return json.loads(await channel.unary_unary(METHOD)(b""))

    properties = run(main())["properties"]
    assert properties["transport_security_type"] == ["local"]
    assert properties["security_level"] == ["TSI_PRIVACY_AND_INTEGRITY"]


@pytest.mark.parametrize("kind", [TCP, UDS])
def test_call_credentials(kind: grpc.LocalConnectionType, tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/socket" if kind is UDS else "127.0.0.1:0"
    credentials = grpc.composite_channel_credentials(grpc.local_channel_credentials(kind), token())

    async def main() -> None:
        server_credentials = grpc.local_server_credentials(kind)
        async with tls.serving_at(address, server_credentials, service(Method=_authorization)) as running:
            target = address if kind is UDS else running.target
            async with aio.secure_channel(target, credentials) as channel:
                assert await channel.unary_unary(METHOD)(b"") == b"Bearer secret"

    run(main())


@pytest.mark.writes_stderr
def test_the_wrong_kind_of_connection() -> None:
    async def main() -> None:
        async with (
            tls.serving_tls(grpc.local_server_credentials(TCP), service(Method=echo)) as running,
            aio.secure_channel(running.target, grpc.local_channel_credentials(UDS)) as channel,
        ):
            error = await error_of(channel.unary_unary(METHOD)(b""))
            assert error.code() is grpc.StatusCode.UNAVAILABLE

    run(main())


@pytest.mark.parametrize("scheme", ["unix", "unix-abstract"])
def test_tls_on_a_unix_socket(scheme: str, tmp_path: Path) -> None:
    address = f"{scheme}:{tmp_path}/socket"
    options = (("grpc.ssl_target_name_override", "localhost"),)

    async def main() -> None:
        async with (
            tls.serving_at(address, tls.server_tls(), service(Method=echo)),
            aio.secure_channel(address, tls.channel_tls(), options) as channel,
        ):
            assert await channel.unary_unary(METHOD)(b"hello") == b"hello"

    run(main())
