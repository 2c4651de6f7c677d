# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Credentials that need what is not here: ALTS, compute engine, an xDS control plane.

Nothing is sent: ALTS and compute engine channels are made, and not connected.
"""

from __future__ import annotations

import json
from pathlib import Path

import grpc
import grpc.experimental
import pytest
import tls
from support import aio, echo, error_of, run, run_program, service

METHOD = "/test.Service/Method"


def _on_google_cloud() -> bool:
    """As core finds out; there, ALTS would reach for a service of that cloud."""
    try:
        name = Path("/sys/class/dmi/id/product_name").read_text().strip()
    except OSError:
        return False
    return name in ("Google", "Google Compute Engine")


@pytest.mark.parametrize("accounts", [None, ["one@example", "two@example"]])
def test_alts_channels_are_made(accounts: list[str] | None) -> None:
    async def main() -> None:
        credentials = grpc.alts_channel_credentials(accounts)
        async with aio.secure_channel("127.0.0.1:1", credentials) as channel:
            assert channel.get_state() in (
                grpc.ChannelConnectivity.IDLE,
                grpc.ChannelConnectivity.TRANSIENT_FAILURE,
            )

    run(main())


@pytest.mark.uvgrpc_only  # grpcio aborts the process
@pytest.mark.skipif(_on_google_cloud(), reason="would leave the machine")
@pytest.mark.writes_stderr
def test_alts_calls_fail_elsewhere() -> None:
    async def main() -> None:
        credentials = grpc.composite_channel_credentials(
            grpc.alts_channel_credentials(), grpc.access_token_call_credentials("secret")
        )
        for made in (credentials, grpc.alts_channel_credentials()):
            async with aio.secure_channel("127.0.0.1:1", made) as channel:
                error = await error_of(channel.unary_unary(METHOD)(b"", timeout=20))
                assert error.code() is grpc.StatusCode.INTERNAL
                assert "No credentials provided" in error.details()

    run(main())


@pytest.mark.skipif(_on_google_cloud(), reason="ALTS ports can be bound there")
@pytest.mark.writes_stderr
def test_alts_ports_cannot_be_bound_elsewhere() -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="Failed to bind"):
            aio.server().add_secure_port("127.0.0.1:0", grpc.alts_server_credentials())

    run(main())


@pytest.mark.uvgrpc_only
def test_compute_engine_channels_are_made() -> None:
    """In a process of its own: grpcio never lets go of what such credentials start."""
    outcome = run_program("""
async def main():
    credentials = grpc.compute_engine_channel_credentials(grpc.access_token_call_credentials("secret"))
    async with aio.secure_channel("127.0.0.1:1", credentials) as channel:
        print(json.dumps(channel.get_state().name))

uvloop.run(main())
""")
    assert json.loads(outcome.out) == "IDLE"


def test_xds_channel_and_server_fall_back_to_tls() -> None:
    async def main() -> None:
        async with (
            tls.serving_tls(grpc.xds_server_credentials(tls.server_tls()), service(Method=echo)) as running,
            aio.secure_channel(running.target, grpc.xds_channel_credentials(tls.channel_tls())) as channel,
        ):
            assert await channel.unary_unary(METHOD)(b"hello") == b"hello"
            # It is TLS, and it is checked.
            strangers = grpc.xds_channel_credentials(tls.channel_tls(roots=tls.Authority().roots))
            async with aio.secure_channel(running.target, strangers) as stranger:
                error = await error_of(stranger.unary_unary(METHOD)(b""))
                assert error.code() is grpc.StatusCode.UNAVAILABLE

    run(main())


def test_xds_falls_back_to_no_security() -> None:
    async def main() -> None:
        server = grpc.xds_server_credentials(grpc.insecure_server_credentials())
        client = grpc.xds_channel_credentials(grpc.experimental.insecure_channel_credentials())
        async with (
            tls.serving_tls(server, service(Method=echo)) as running,
            aio.secure_channel(running.target, client) as channel,
            aio.insecure_channel(running.target) as plain,
        ):
            assert await channel.unary_unary(METHOD)(b"hello") == b"hello"
            assert await plain.unary_unary(METHOD)(b"hello") == b"hello"

    run(main())
