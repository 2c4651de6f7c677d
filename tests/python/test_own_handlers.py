# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""uvgrpc's own API: the shapes that a handler may have."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest
from own_api import ARITIES, SERVICE, Wrapping, all_of, own_serving
from support import run

import uvgrpc

pytestmark = pytest.mark.uvgrpc_only


class GrpcAio:
    """Everything as grpc.aio has it."""

    async def UnaryUnary(self, request: bytes, context: Any) -> bytes:
        return request

    async def UnaryStream(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        yield request
        yield request

    async def StreamUnary(self, requests: AsyncIterator[bytes], context: Any) -> bytes:
        return b"".join([request async for request in requests])

    async def StreamStream(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        async for request in requests:
            yield request
            yield request


class Sending(GrpcAio):
    """Sends what the others yield or return."""

    async def UnaryStream(self, request: bytes, context: Any) -> None:  # type: ignore[override]
        await context.send(request)
        await context.write(request)

    async def StreamUnary(self, context: Any) -> None:  # type: ignore[override]
        await context.send(b"".join([request async for request in context]))

    async def StreamStream(self, requests: Any, context: Any) -> None:  # type: ignore[override]
        async for request in requests:
            await context.send(request)
            await context.send(request)


class OnlyContext(GrpcAio):
    """Takes messages from the context."""

    async def UnaryStream(self, context: Any) -> None:  # type: ignore[override]
        request = await context.receive()
        with pytest.raises(uvgrpc.EOF):
            await context.receive()
        assert [one async for one in context] == []
        for _ in range(2):
            await context.send(request)

    async def StreamUnary(self, context: Any) -> bytes:  # type: ignore[override]
        return b"".join(await all_of(context))

    async def StreamStream(self, context: Any) -> None:  # type: ignore[override]
        try:
            while True:
                request = await context.receive()
                await context.send(request)
                await context.send(request)
        except uvgrpc.EOF:
            await asyncio.sleep(0)


class GeneratingFromContext(OnlyContext):
    """Yields, and takes messages from the context."""

    async def UnaryStream(self, context: Any) -> AsyncIterator[bytes]:  # type: ignore[override]
        async for request in context:
            yield request
            yield request

    async def StreamStream(self, context: Any) -> AsyncIterator[bytes]:  # type: ignore[override]
        async for request in context:
            yield request
            yield request


class Threads:
    """Functions that are not async run on a thread."""

    def UnaryUnary(self, request: bytes, context: Any) -> bytes:
        return request

    def UnaryStream(self, request: bytes, context: Any) -> Iterator[bytes]:
        yield request
        yield request

    def StreamUnary(self, requests: Iterator[bytes], context: Any) -> bytes:
        return b"".join(requests)

    def StreamStream(self, requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        for request in requests:
            yield request
            yield request


class Odd:
    """Callables that are not plain methods."""

    def __init__(self) -> None:
        own = OnlyContext()

        class Callable:
            async def __call__(self, context: Any) -> None:
                await own.StreamStream(context)

        self.UnaryUnary = functools.partial(GrpcAio.UnaryUnary, None)
        self.UnaryStream = own.UnaryStream
        self.StreamStream = Callable()

    @staticmethod
    async def StreamUnary(*arguments: Any) -> bytes:
        requests, _context = arguments
        return b"".join([request async for request in requests])


@pytest.mark.parametrize(
    "servicer",
    [GrpcAio, Sending, OnlyContext, GeneratingFromContext, Threads, Odd],
    ids=lambda one: one.__name__,
)
def test_every_shape_serves(servicer: type[Any]) -> None:
    async def main() -> None:
        async with own_serving(servicer()) as stub:
            assert await stub.UnaryUnary(b"x") == b"x"
            assert await all_of(stub.UnaryStream(b"x")) == [b"x", b"x"]
            assert await stub.StreamUnary([b"x", b"y"]) == b"xy"
            assert await stub.StreamUnary([]) == b""
            call = stub.StreamStream()
            await call.send(b"x")
            assert await call.receive() == b"x"
            await call.send(b"y")
            await call.done_sending()
            assert await all_of(call) == [b"x", b"y", b"y"]

    run(main())


async def _too_few() -> None: ...


async def _without_context(request: bytes) -> bytes:
    return request


async def _only_context(context: Any) -> bytes:
    return b""


async def _too_many(request: bytes, context: Any, more: Any) -> bytes:
    return request


async def _named(request: bytes, context: Any, *, more: Any) -> bytes:
    return request


async def _yields(request: bytes, context: Any) -> AsyncIterator[bytes]:
    yield request


def _yields_on_thread(request: bytes, context: Any) -> Iterator[bytes]:
    yield request


def _not_async(context: Any) -> None: ...


@pytest.mark.parametrize(
    ("method", "behavior", "says"),
    [
        ("UnaryUnary", _too_few, "takes no arguments"),
        ("UnaryUnary", _without_context, "the context is missing behind 'request'"),
        ("StreamStream", _without_context, "the context is missing behind 'request'"),
        ("UnaryUnary", _only_context, "takes one argument"),
        ("UnaryUnary", _too_many, "takes 3 arguments"),
        ("StreamStream", _too_many, "takes 3 arguments"),
        ("UnaryStream", _named, "keyword arguments more"),
        ("UnaryUnary", _yields, "there is one response to return"),
        ("StreamUnary", _yields, "there is one response to return"),
        ("StreamUnary", _yields_on_thread, "there is one response to return"),
        ("StreamStream", _not_async, "must be async"),
        ("UnaryStream", 7, "cannot be called"),
    ],
)
def test_a_wrong_shape_is_refused_at_registration(method: str, behavior: Any, says: str) -> None:
    class Servicer: ...

    async def main() -> None:
        servicer = Servicer()
        setattr(servicer, method, behavior)
        server = uvgrpc.server()
        with pytest.raises(TypeError) as caught:
            server.add_servicer(servicer, SERVICE)
        text = str(caught.value)
        assert says in text
        assert f"Servicer.{method}" in text
        assert f"async def {method}(self, " in text
        await server.stop(None)

    run(main())


@pytest.mark.parametrize(
    ("result", "sends", "code"),
    [
        (None, 0, grpc.StatusCode.UNKNOWN),
        (b"x", 0, grpc.StatusCode.OK),
        (None, 1, grpc.StatusCode.OK),
        (b"x", 1, grpc.StatusCode.UNKNOWN),
        (None, 2, grpc.StatusCode.UNKNOWN),
    ],
)
@pytest.mark.parametrize("intercepted", [False, True])
def test_a_single_response_is_given_once(
    result: Any, sends: int, code: grpc.StatusCode, intercepted: bool
) -> None:
    class Servicer:
        async def StreamUnary(self, context: Any) -> Any:
            for _ in range(sends):
                await context.send(b"x")
            return result

    async def main() -> None:
        options = {"interceptors": [Wrapping()]} if intercepted else {}
        async with own_serving(Servicer(), **options) as stub:
            assert await stub.StreamUnary([]).code() is code

    run(main())


@pytest.mark.parametrize("intercepted", [False, True])
def test_a_stream_of_responses_is_not_returned(intercepted: bool) -> None:
    class Servicer:
        async def StreamStream(self, context: Any) -> bytes:
            await context.send(b"one")
            return b"two"

    async def main() -> None:
        options = {"interceptors": [Wrapping()]} if intercepted else {}
        async with own_serving(Servicer(), **options) as stub:
            call = stub.StreamStream([])
            assert await call.receive() == b"one"
            with pytest.raises(uvgrpc.RpcError, match="returned a message"):
                await call.receive()

    run(main())


def test_another_status_needs_no_response() -> None:
    class Servicer:
        async def StreamUnary(self, context: Any) -> None:
            context.set_code(grpc.StatusCode.DATA_LOSS)
            context.set_details("gone")

    async def main() -> None:
        async with own_serving(Servicer()) as stub:
            call = stub.StreamUnary([])
            assert await call.code() is grpc.StatusCode.DATA_LOSS
            assert await call.details() == "gone"

    run(main())


def test_methods_that_are_not_there_are_unimplemented() -> None:
    class Servicer:
        async def UnaryUnary(self, request: bytes, context: Any) -> bytes:
            return request

    async def main() -> None:
        async with own_serving(Servicer()) as stub:
            assert await stub.UnaryUnary(b"x") == b"x"
            assert await stub.StreamUnary([]).code() is grpc.StatusCode.UNIMPLEMENTED
        server = uvgrpc.server()
        with pytest.raises(
            TypeError, match=r"object has none of the methods of test\.Own: UnaryUnary, UnaryStream"
        ):
            server.add_servicer(object(), SERVICE)
        await server.stop(None)

    run(main())


def test_the_end_of_an_rpc_is_told_to_who_receives_and_sends() -> None:
    told: list[str] = []
    gone = asyncio.Event()

    class Servicer:
        async def StreamStream(self, context: Any) -> None:
            await context.send(b"here")
            try:
                await context.receive()
            except (grpc.aio.UsageError, asyncio.CancelledError) as error:
                told.append(type(error).__name__)
            try:
                await context.send(b"late")
            except grpc.aio.UsageError as error:
                told.append(str(error))
            gone.set()

    async def main() -> None:
        async with own_serving(Servicer()) as stub:
            async with stub.StreamStream() as call:
                assert await call.receive() == b"here"
            await asyncio.wait_for(gone.wait(), 10)
        assert told[-1] == "RPC already finished."

    run(main())


def test_a_server_takes_no_servicer_once_it_runs() -> None:
    async def main() -> None:
        async with own_serving(GrpcAio()) as _:
            pass
        server = uvgrpc.server()
        server.add_servicer(GrpcAio(), SERVICE)
        server.start()
        with pytest.raises(RuntimeError, match="has started"):
            server.add_servicer(GrpcAio(), SERVICE)
        await server.stop(None)
        with pytest.raises(RuntimeError, match="was stopped"):
            server.add_servicer(GrpcAio(), SERVICE)

    run(main())
    assert set(ARITIES) == set(SERVICE.methods)
