# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The standard cases, with a client of ours and a server in Go."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from interop.messages import REQUEST_SIZES, output_request
from interop.stubs import pb2, pb2_grpc
from support import aio, error_of, run

from interop import calls, compressed_calls, flags, go

Connect = Callable[..., Any]
CASES = {**calls.CASES, **compressed_calls.CASES}


@pytest.fixture(params=["insecure", "tls"])
def connect(request: pytest.FixtureRequest) -> Connect:
    """Makes a channel to the server, with options if they are given."""
    port = request.getfixturevalue(f"{request.param}_port")
    target = f"127.0.0.1:{port}"
    if request.param == "insecure":
        return lambda options=(): aio.insecure_channel(target, options)
    certificates = request.getfixturevalue("certificates")

    def connect_tls(options: Any = ()) -> Any:
        override = ("grpc.ssl_target_name_override", go.SERVER_NAME)
        return aio.secure_channel(target, certificates.channel_credentials, (override, *options))

    return connect_tls


@pytest.mark.parametrize("case", CASES)
def test_case(connect: Connect, case: str) -> None:
    async def main() -> None:
        async with connect() as channel:
            await CASES[case](channel)

    run(main())


@pytest.mark.parametrize("case", compressed_calls.FLAG_CASES)
def test_case_with_flags(connect: Connect, case: str) -> None:
    async def main() -> None:
        async with connect(flags.OPTIONS) as channel:
            await compressed_calls.FLAG_CASES[case](channel)

    run(main())


def test_rpc_soak(connect: Connect) -> None:
    async def main() -> None:
        async with connect() as channel:
            for _ in range(50):
                await calls.large_unary(channel)

    run(main())


def test_channel_soak(connect: Connect) -> None:
    async def main() -> None:
        for _ in range(50):
            # Channels with the same options would share a connection.
            async with connect((("grpc.use_local_subchannel_pool", 1),)) as channel:
                await calls.large_unary(channel)

    run(main())


# grpc.aio fails the next two at times: a write that meets the deadline ends the call with INTERNAL.
@pytest.mark.uvgrpc_only
def test_all_cases_at_once_on_one_channel(connect: Connect) -> None:
    async def main() -> None:
        async with connect() as channel, asyncio.TaskGroup() as group:
            for case in CASES.values():
                group.create_task(case(channel))

    run(main())


@pytest.mark.uvgrpc_only
def test_deadlines_that_meet_writes(insecure_port: int) -> None:
    """As timeout_on_sleeping_server, often enough to hit every moment of a write."""
    statuses: set[grpc.StatusCode] = set()

    async def write_until_over(stub: Any) -> None:
        call = stub.FullDuplexCall(timeout=0.001)
        with contextlib.suppress(aio.AioRpcError, asyncio.InvalidStateError):
            await call.write(output_request(request_size=REQUEST_SIZES[0]))
        statuses.add(await call.code())

    async def main() -> None:
        async with aio.insecure_channel(f"127.0.0.1:{insecure_port}") as channel:
            await channel.channel_ready()
            stub = pb2_grpc.TestServiceStub(channel)
            for _ in range(20):
                async with asyncio.TaskGroup() as group:
                    group.create_task(calls.large_unary(channel))
                    for _ in range(20):
                        group.create_task(write_until_over(stub))
        assert statuses == {grpc.StatusCode.DEADLINE_EXCEEDED}

    run(main())


def test_server_with_tls_fails_calls_without(tls_port: int) -> None:
    """So what the cases above send is encrypted."""

    async def main() -> None:
        async with aio.insecure_channel(f"127.0.0.1:{tls_port}") as channel:
            error = await error_of(pb2_grpc.TestServiceStub(channel).EmptyCall(pb2.Empty()))
            assert error.code() is grpc.StatusCode.UNAVAILABLE

    run(main())
