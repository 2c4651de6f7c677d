# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The standard cases, with servers and clients of uvgrpc's own API."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from interop.service import MessagesTestService, TestService
from support import environment, run
from test_interop_server import CASES, COMPRESSION_LOST, Certificates, pass_case

import uvgrpc
from interop import calls

pytestmark = pytest.mark.uvgrpc_only

_PROTO = Path(__file__).parents[1] / "protos" / "interop.proto"

# The clients of one case after the other, on grpcio as it is.
_STOCK = """
import asyncio, sys
import grpc.aio
from interop import calls

async def main():
    async with grpc.aio.insecure_channel(f"127.0.0.1:{sys.argv[1]}") as channel:
        for case in calls.CASES.values():
            await case(channel)
    print("passed", len(calls.CASES))

asyncio.run(main())
"""


def _add_ideal(server: uvgrpc.Server) -> None:
    """Without generated files."""
    server.add_servicer(MessagesTestService(), uvgrpc.proto(_PROTO).TestService)


def _add_generated(server: uvgrpc.Server) -> None:
    """With those of grpcio-tools."""
    server.add_servicer(MessagesTestService())


def _add_grpc_aio(server: uvgrpc.Server) -> None:
    """Those and handlers of grpc.aio's shapes."""
    server.add_servicer(TestService())


STYLES = {"ideal": _add_ideal, "option2": _add_generated, "option1": _add_grpc_aio}


@contextlib.asynccontextmanager
async def serving(style: str, certificates: Certificates = None) -> AsyncIterator[int]:
    """A server. Gives its port."""
    server = uvgrpc.server()
    STYLES[style](server)
    if certificates:
        port = server.add_secure_port("127.0.0.1:0", certificates.server_credentials)
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    async with server:
        yield port


@pytest.fixture(params=["insecure", "tls"])
def transport(request: pytest.FixtureRequest) -> Certificates:
    """The certificates, or None for no TLS."""
    return request.getfixturevalue("certificates") if request.param == "tls" else None


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("case", [*CASES, pytest.param("server_compressed_unary", marks=COMPRESSION_LOST)])
def test_servers_with_a_client_in_go(program: Path, transport: Certificates, style: str, case: str) -> None:
    async def main() -> None:
        async with serving(style, transport) as port:
            await pass_case(program, case, port, transport)

    run(main())


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("case", calls.CASES)
def test_servers_with_a_client_of_ours(style: str, case: str) -> None:
    async def main() -> None:
        async with serving(style) as port, uvgrpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            await calls.CASES[case](channel)

    run(main())


@pytest.mark.parametrize("style", STYLES)
def test_servers_with_a_client_of_grpcios(style: str) -> None:
    """On asyncio's loop, in a process of its own."""

    async def main() -> None:
        async with serving(style) as port:
            process = await _start_stock(port)
            out, err = await process.communicate()
            assert process.returncode == 0, err.decode()
            assert out.decode().split() == ["passed", str(len(calls.CASES))]

    run(main())


async def _start_stock(port: int) -> Any:
    own = environment()
    own["PYTHONPATH"] += f":{Path(__file__).parent}"
    own["UVGRPC_TEST_BACKEND"] = "stock"
    pipe = subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", _STOCK, str(port), stdout=pipe, stderr=pipe, env=own
    )


@pytest.mark.parametrize("case", calls.CASES)
def test_a_client_with_a_server_in_go(insecure_port: int, case: str) -> None:
    async def main() -> None:
        async with uvgrpc.insecure_channel(f"127.0.0.1:{insecure_port}") as channel:
            await calls.CASES[case](channel)

    run(main())
