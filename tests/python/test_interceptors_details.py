# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What client interceptors see of a call, and what they can change."""

from __future__ import annotations

import asyncio
import contextvars
import time
from typing import Any

import grpc
import grpc.aio
import pytest
from intercepting import UNARY_UNARY, Arity, Peer, interceptor
from intercepting import arity as arity
from intercepting import peer as peer
from support import aio, error_of, in_time, run, unused_port


async def trailing(call: Any) -> list[tuple[str, Any]]:
    """What the service sent back of the metadata."""
    return [pair for pair in await call.trailing_metadata() if pair[0].startswith("x-")]


# ---- what an interceptor sees


def test_the_details_are_what_the_program_asked_for(arity: Arity, peer: Peer) -> None:
    seen: list[Any] = []

    async def body(continuation: Any, details: Any, request: Any) -> Any:
        seen.append(details)
        return await continuation(details, request)

    async def main() -> None:
        async with peer.channel(interceptor(body, arity)) as channel:
            method = arity.method(channel, "echo")
            await arity.outcome(method(b"1"))
            await arity.outcome(method(b"1", timeout=30.5, metadata=(("x-a", "1"),), wait_for_ready=True))
        bare, full = seen
        name = f"/intercept.Service/{arity.name}_echo".encode()
        for details in seen:
            assert isinstance(details, grpc.aio.ClientCallDetails)
            assert isinstance(details.metadata, grpc.aio.Metadata)
        assert (bare.method, bare.timeout, tuple(bare.metadata), bare.credentials, bare.wait_for_ready) == (
            name,
            None,
            (),
            None,
            None,
        )
        assert (full.method, full.timeout, tuple(full.metadata), full.credentials, full.wait_for_ready) == (
            name,
            30.5,
            (("x-a", "1"),),
            None,
            True,
        )

    run(main())


@pytest.mark.stock_defect("the program's own object is given to interceptors")
def test_adding_to_the_metadata_in_place_leaves_the_programs_alone(arity: Arity, peer: Peer) -> None:
    async def body(continuation: Any, details: Any, request: Any) -> Any:
        details.metadata.add("x-added", "yes")
        return await continuation(details, request)

    async def main() -> None:
        async with peer.channel(interceptor(body, arity)) as channel:
            metadata = grpc.aio.Metadata(("x-own", "1"))
            for _ in range(2):
                call = arity.method(channel, "echo")(b"1", metadata=metadata)
                await arity.outcome(call)
                assert await trailing(call) == [("x-own", "1"), ("x-added", "yes")]
            assert metadata == (("x-own", "1"),)

    run(main())


def test_an_interceptor_runs_at_once_and_in_the_context_of_the_caller(arity: Arity, peer: Peer) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")

    async def main() -> None:
        seen = asyncio.get_running_loop().create_future()

        async def body(continuation: Any, details: Any, request: Any) -> Any:
            seen.set_result(variable.get())
            variable.set("the interceptor's")
            return await continuation(details, request)

        async with peer.channel(interceptor(body, arity)) as channel:
            variable.set("the caller's")
            call = arity.method(channel, "echo")(b"1")
            variable.set("another")
            assert await seen == "the caller's"  # nobody has awaited the call
            assert await arity.outcome(call) == b"1"
            assert variable.get() == "another"

    run(main())


# ---- what an interceptor changes


@pytest.mark.parametrize(
    "metadata",
    [(("x-new", "1"),), [("x-new", "1")], grpc.aio.Metadata(("x-new", "1"))],
    ids=["tuple", "list", "Metadata"],
)
def test_metadata_of_an_interceptor_is_sent(arity: Arity, peer: Peer, metadata: Any) -> None:
    async def body(continuation: Any, details: Any, request: Any) -> Any:
        return await continuation(details._replace(metadata=metadata), request)

    async def main() -> None:
        async with peer.channel(interceptor(body, arity)) as channel:
            call = arity.method(channel, "echo")(b"1", metadata=(("x-old", "1"),))
            await arity.outcome(call)
            assert await trailing(call) == [("x-new", "1")]

    run(main())


@pytest.mark.parametrize(
    "as_text",
    [
        False,
        pytest.param(True, marks=pytest.mark.stock_defect("TypeError: expected bytes, str found")),
    ],
)
def test_an_interceptor_may_call_another_method(arity: Arity, peer: Peer, as_text: bool) -> None:
    async def body(continuation: Any, details: Any, request: Any) -> Any:
        method: Any = f"/intercept.Service/{arity.name}_echo"
        return await continuation(details._replace(method=method if as_text else method.encode()), request)

    async def main() -> None:
        async with peer.channel(interceptor(body, arity)) as channel:
            assert await arity.outcome(arity.method(channel, "fail")(b"1,2")) == b"1,2"

    run(main())


def test_the_timeout_of_an_interceptor_counts(arity: Arity, peer: Peer) -> None:
    async def body(continuation: Any, details: Any, request: Any) -> Any:
        assert details.timeout == 30
        return await continuation(details._replace(timeout=0.05), request)

    async def main() -> None:
        async with peer.channel(interceptor(body, arity)) as channel:
            started = time.monotonic()
            error = await error_of(arity.outcome(arity.method(channel, "hang")(b"1", timeout=30)))
            assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            in_time(started, 3)

    run(main())


def test_wait_for_ready_of_an_interceptor_counts(arity: Arity, peer: Peer) -> None:
    async def body(continuation: Any, details: Any, request: Any) -> Any:
        return await continuation(details._replace(wait_for_ready=True, timeout=0.3), request)

    async def main() -> None:
        target = f"127.0.0.1:{unused_port()}"
        async with peer.channel(target=target) as channel:
            error = await error_of(arity.outcome(arity.method(channel, "echo")(b"1")))
            assert error.code() is grpc.StatusCode.UNAVAILABLE
        async with peer.channel(interceptor(body, arity), target=target) as channel:
            error = await error_of(arity.outcome(arity.method(channel, "echo")(b"1")))
            assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED

    run(main())


@pytest.mark.stock_defect("AttributeError: no wait_for_ready")
def test_details_without_wait_for_ready_do(arity: Arity, peer: Peer) -> None:
    class Details:
        """As interceptors make them that were written for synchronous gRPC."""

        def __init__(self, details: Any) -> None:
            self.method = details.method
            self.timeout = details.timeout
            self.metadata = details.metadata
            self.credentials = details.credentials

    async def body(continuation: Any, details: Any, request: Any) -> Any:
        return await continuation(Details(details), request)

    async def main() -> None:
        async with peer.channel(interceptor(body, arity)) as channel:
            assert await arity.outcome(arity.method(channel, "echo")(b"1")) == b"1"

    run(main())


class Meter:
    """Forwards a connection, and counts what the client sends."""

    def __init__(self, target: str) -> None:
        self.sent = 0
        self.finished = asyncio.Event()
        self._target = target.split(":")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection(*self._target)

        async def forward(source: asyncio.StreamReader, sink: asyncio.StreamWriter, count: bool) -> None:
            while data := await source.read(65536):
                self.sent += len(data) if count else 0
                sink.write(data)
            sink.close()
            await sink.wait_closed()

        await asyncio.gather(forward(reader, upstream_writer, True), forward(upstream_reader, writer, False))
        self.finished.set()


@pytest.mark.pool_threads
@pytest.mark.stock_defect("replaced metadata loses the compression")
def test_the_compression_of_a_call_stays_in_force(peer: Peer) -> None:
    async def body(continuation: Any, details: Any, request: Any) -> Any:
        return await continuation(details._replace(metadata=grpc.aio.Metadata()), request)

    async def main() -> None:
        meter = Meter(peer.target)
        async with await asyncio.start_server(meter.serve, "127.0.0.1", 0) as proxy:
            target = f"127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
            async with aio.insecure_channel(target, interceptors=[interceptor(body, UNARY_UNARY)]) as channel:
                method = UNARY_UNARY.method(channel, "echo")
                await method(bytes(100_000), compression=grpc.Compression.Gzip)
                compressed = meter.sent
                await method(bytes(100_000))
            await meter.finished.wait()
        assert compressed < 10_000
        assert meter.sent > 100_000

    run(main())
