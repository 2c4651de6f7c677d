# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What the tests of client interceptors share: a service, channels, interceptors.

`python -m intercepting` serves on grpc.aio as it is: it is the client's side that is
tested. Prints its port, and stops when its standard input ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
import pytest

# ---- the service


class Service:
    """intercept.Service: three methods for each arity, and Cancelled."""

    def __init__(self) -> None:
        self.cancelled = 0

    async def echo(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        """Answers each request with itself, and sends metadata that begins with x- back."""
        context.set_trailing_metadata(
            tuple((key, value) for key, value in context.invocation_metadata() if key.startswith("x-"))
        )
        async for request in requests:
            yield request

    async def fail(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        """Answers one request, then fails."""
        async for request in requests:
            yield request
            break
        await context.abort(grpc.StatusCode.NOT_FOUND, "no such thing", (("x-trailing", "yes"),))

    async def hang(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        """Answers the requests that there are, and never ends. Counts being cancelled."""
        try:
            async for request in requests:
                yield request
            await asyncio.Event().wait()
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled += 1
            raise

    async def count(self, request: bytes, context: Any) -> bytes:
        return str(self.cancelled).encode()

    def handler(self) -> grpc.GenericRpcHandler:
        handlers = {"Cancelled": grpc.unary_unary_rpc_method_handler(self.count)}
        for behavior in (self.echo, self.fail, self.hang):
            name = behavior.__name__
            handlers |= {
                f"unary_unary_{name}": grpc.unary_unary_rpc_method_handler(_unary_unary(behavior)),
                f"unary_stream_{name}": grpc.unary_stream_rpc_method_handler(_unary_stream(behavior)),
                f"stream_unary_{name}": grpc.stream_unary_rpc_method_handler(_stream_unary(behavior)),
                f"stream_stream_{name}": grpc.stream_stream_rpc_method_handler(behavior),
            }
        return grpc.method_handlers_generic_handler("intercept.Service", handlers)


async def _each(request: bytes) -> AsyncIterator[bytes]:
    """A request of several parts, "a,b,c", as that many requests."""
    for part in request.split(b","):
        yield part


def _unary_unary(behavior: Any) -> Any:
    async def handler(request: bytes, context: Any) -> bytes:
        return b",".join([response async for response in behavior(_each(request), context)])

    return handler


def _unary_stream(behavior: Any) -> Any:
    async def handler(request: bytes, context: Any) -> AsyncIterator[bytes]:
        async for response in behavior(_each(request), context):
            yield response

    return handler


def _stream_unary(behavior: Any) -> Any:
    async def handler(requests: AsyncIterator[bytes], context: Any) -> bytes:
        return b",".join([response async for response in behavior(requests, context)])

    return handler


async def _serve() -> None:
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    server.add_generic_rpc_handlers((Service().handler(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(None)


if __name__ == "__main__":
    assert "uvgrpc" not in sys.modules
    asyncio.run(_serve())
    sys.exit()

from support import LIMIT, aio, environment  # noqa: E402


@contextlib.contextmanager
def server() -> Iterator[str]:
    """The service, in a process of its own. Gives the target."""
    with subprocess.Popen(
        [sys.executable, "-m", "intercepting"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield f"127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()
            assert process.wait(30) == 0


# ---- arities


@dataclass(frozen=True)
class Arity:
    """One of the four, and how a test calls a method of it with requests and collects."""

    name: str
    interface: type
    streams_requests: bool
    streams_responses: bool

    def method(self, channel: Any, behavior: str, **codecs: Any) -> Any:
        """The multi-callable of a method of the service; to be called with a bytes request."""
        create = getattr(channel, self.name)
        multi_callable = create(f"/intercept.Service/{self.name}_{behavior}", **codecs)
        if not self.streams_requests:
            return multi_callable
        return lambda request, **options: multi_callable(_each(request), **options)

    async def outcome(self, call: Any) -> bytes:
        """All that the call answers, parts of a stream with commas between."""
        if self.streams_responses:
            return b",".join([response async for response in call])
        response: bytes = await call
        return response


ARITIES = [
    Arity(
        name,
        getattr(grpc.aio, camel + "ClientInterceptor"),
        name.startswith("stream"),
        name.endswith("stream"),
    )
    for name in ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
    for camel in [name.title().replace("_", "")]
]
UNARY_UNARY, UNARY_STREAM, STREAM_UNARY, STREAM_STREAM = ARITIES

# ---- interceptors

Body = Callable[[Any, Any, Any], Awaitable[Any]]


def interceptor(body: Body, *arities: Arity) -> Any:
    """An interceptor of the given arities, or of all, that does `body`."""
    arities = arities or tuple(ARITIES)

    def method(_self: Any, continuation: Any, details: Any, request: Any) -> Awaitable[Any]:
        return body(continuation, details, request)

    methods = {f"intercept_{arity.name}": method for arity in arities}
    kind: Any = type("Interceptor", tuple(arity.interface for arity in arities), methods)
    return kind()


async def passing(continuation: Any, details: Any, request: Any) -> Any:
    """The body of an interceptor that changes nothing."""
    return await continuation(details, request)


# ---- channels


@dataclass(frozen=True)
class Peer:
    """A server of the service, in another process."""

    target: str

    def channel(self, *interceptors: Any, target: str | None = None) -> Any:
        """A channel to it, or to `target`."""
        return aio.insecure_channel(target or self.target, interceptors=interceptors)

    async def cancelled(self) -> int:
        """How many handlers of the service that hang were cancelled."""
        async with aio.insecure_channel(self.target) as channel:
            return int(await channel.unary_unary("/intercept.Service/Cancelled")(b""))

    @contextlib.asynccontextmanager
    async def cancels(self, number: int = 1) -> AsyncIterator[None]:
        """Checks that the block makes `number` handlers that hang be cancelled."""
        before = await self.cancelled()
        yield
        deadline = time.monotonic() + LIMIT / 5
        # To ask is to wait: there is no event to wait for in this process.
        while await self.cancelled() < before + number and time.monotonic() < deadline:
            pass
        assert await self.cancelled() == before + number


@pytest.fixture(scope="session")
def peer() -> Iterator[Peer]:
    with server() as target:
        yield Peer(target)


@pytest.fixture(params=ARITIES, ids=lambda arity: arity.name)
def arity(request: pytest.FixtureRequest) -> Arity:
    result: Arity = request.param
    return result
