# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The standard cases, with a server of ours and a client in Go."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from interop.service import ReadWriteTestService, TestService
from interop.stubs import pb2_grpc
from support import aio, run

from interop import flags, go

Certificates = go.Certificates | None
STYLES = {"iterators": TestService, "read and write": ReadWriteTestService}
COMPRESSION_LOST = pytest.mark.stock_defect("set_compression() does nothing for a single response")
CASES = (
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "timeout_on_sleeping_server",
    "cancel_after_begin",
    "cancel_after_first_response",
    "custom_metadata",
    "status_code_and_message",
    "special_status_message",
    "unimplemented_method",
    "unimplemented_service",
    "pick_first_unary",
    "server_compressed_streaming",
    "concurrent_large_streams",
)
# Core unpacks what these send, before anything can see whether it came compressed.
BLIND_CASES = ("client_compressed_unary", "client_compressed_streaming")


@pytest.fixture(params=["insecure", "tls"])
def transport(request: pytest.FixtureRequest) -> Certificates:
    """The certificates, or None for no TLS."""
    return request.getfixturevalue("certificates") if request.param == "tls" else None


@contextlib.asynccontextmanager
async def serving(
    service: TestService, transport: Certificates, *, check_flags: bool = False
) -> AsyncIterator[int]:
    """A server of ours. Gives its port."""
    server = aio.server(options=flags.OPTIONS if check_flags else ())
    wrapped = flags.FlagCheckingServer(server) if check_flags else server
    pb2_grpc.add_TestServiceServicer_to_server(service, wrapped)
    if transport:
        port = server.add_secure_port("127.0.0.1:0", transport.server_credentials)
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)


async def pass_case(program: Path, case: str, port: int, transport: Certificates, **options: Any) -> None:
    result = await go.call(program, case, port, transport, **options)
    assert result.err == ""
    assert (result.returncode, result.out) == (0, f"{case} passed\n")


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("case", [*CASES, pytest.param("server_compressed_unary", marks=COMPRESSION_LOST)])
def test_case(program: Path, transport: Certificates, style: str, case: str) -> None:
    async def main() -> None:
        async with serving(STYLES[style](), transport) as port:
            await pass_case(program, case, port, transport)

    run(main())


@pytest.mark.parametrize("case", ["rpc_soak", "channel_soak"])
def test_soak_case(program: Path, transport: Certificates, case: str) -> None:
    async def main() -> None:
        async with serving(TestService(), transport) as port:
            result = await go.call(program, case, port, transport)
            assert (result.returncode, result.out) == (0, f"{case} passed\n"), result.err
            assert "soak test ran: 50 / 50 iterations. total failures: 0." in result.err

    run(main())


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("case", BLIND_CASES)
def test_case_that_core_unpacks(program: Path, transport: Certificates, style: str, case: str) -> None:
    async def main() -> None:
        async with serving(STYLES[style](), transport) as port:
            await pass_case(program, case, port, transport, server_sees_flags=False)

    run(main())


@pytest.mark.parametrize("case", BLIND_CASES)
def test_case_with_flags(program: Path, transport: Certificates, case: str) -> None:
    async def main() -> None:
        async with serving(TestService(), transport, check_flags=True) as port:
            await pass_case(program, case, port, transport)

    run(main())


# grpc.aio fails it at times: its core does not stand the fork of a process that it is at work in.
@pytest.mark.uvgrpc_only
def test_many_clients_at_once(program: Path, transport: Certificates) -> None:
    async def main() -> None:
        async with serving(TestService(), transport) as port, asyncio.TaskGroup() as group:
            for case in CASES:
                group.create_task(pass_case(program, case, port, transport))

    run(main())


def test_server_with_tls_fails_calls_without(program: Path, certificates: go.Certificates) -> None:
    """So what the cases above send is encrypted."""

    async def main() -> None:
        async with serving(TestService(), certificates) as port:
            result = await go.call(program, "empty_unary", port, None)
            assert result.returncode == 1
            assert "code = Unavailable" in result.err

    run(main())


def test_a_case_that_fails_is_reported(program: Path) -> None:
    """A server that answers wrongly fails its case, as it should."""

    class Wrong(TestService):
        async def EmptyCall(self, request: Any, context: Any) -> Any:
            await context.abort(grpc.StatusCode.INTERNAL, "not today")

    async def main() -> None:
        async with serving(Wrong(), None) as port:
            result = await go.call(program, "empty_unary", port, None)
            assert result.returncode == 1
            assert "not today" in result.err

    run(main())
