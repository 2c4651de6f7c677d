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
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
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

from support import STOCK, aio, environment, until  # noqa: E402

import uvgrpc.aio._call  # noqa: E402
from uvgrpc.aio import _intercepted_call, _interceptor  # noqa: E402

HAS_STREAMS = STOCK or hasattr(uvgrpc.aio._call, "StreamStreamCall")


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
    intercepted: type
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
        getattr(_intercepted_call, f"Intercepted{camel}Call"),
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


class OverStock:
    """A channel of grpc.aio's own calls with uvgrpc's interceptors around them.

    The calls under an interceptor may be of any make; this shows it, and tests the
    interceptors apart from uvgrpc's calls.
    """

    def __init__(self, target: str, interceptors: Iterable[Any]) -> None:
        self._channel = grpc.aio.insecure_channel(target)
        lists = _interceptor.by_arity(interceptors)
        for arity, own in zip(ARITIES, lists, strict=True):
            setattr(self, arity.name, partial(self._multi_callable, arity, own))

    def _multi_callable(self, arity: Arity, interceptors: list[Any], method: str, **codecs: Any) -> Any:
        def start(details: Any, request: Any) -> Any:
            plain = getattr(self._channel, arity.name)(details.method.decode(), **codecs)
            return plain(
                request,
                timeout=details.timeout,
                metadata=details.metadata,
                credentials=details.credentials,
                wait_for_ready=details.wait_for_ready,
            )

        def call(
            request: Any = None,
            timeout: float | None = None,
            metadata: Any = None,
            credentials: Any = None,
            wait_for_ready: bool | None = None,
        ) -> Any:
            details: Any = grpc.aio.ClientCallDetails
            return arity.intercepted(
                tuple(interceptors),
                start,
                details(
                    method.encode(), timeout, _interceptor.own_metadata(metadata), credentials, wait_for_ready
                ),
                request,
                asyncio.get_running_loop(),
            )

        return call

    async def __aenter__(self) -> OverStock:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()


@dataclass(frozen=True)
class Layer:
    """Interceptors over calls of uvgrpc's (or of what is tested), or of grpc.aio's."""

    target: str
    over_stock: bool

    def channel(self, *interceptors: Any, target: str | None = None) -> Any:
        """A channel to the service."""
        target = target or self.target
        if self.over_stock:
            return OverStock(target, interceptors)
        return aio.insecure_channel(target, interceptors=interceptors)

    async def cancelled(self) -> int:
        """How many handlers of the service that hang were cancelled."""
        async with aio.insecure_channel(self.target) as channel:
            return int(await channel.unary_unary("/intercept.Service/Cancelled")(b""))

    @contextlib.asynccontextmanager
    async def cancels(self, number: int = 1) -> AsyncIterator[None]:
        """Checks that the block makes `number` handlers that hang be cancelled."""
        before = await self.cancelled()
        yield
        async with asyncio.timeout(5):
            while await self.cancelled() < before + number:
                await asyncio.sleep(0.005)
        assert await self.cancelled() == before + number


LAYERS = ["tested"] if STOCK else ["tested", "over stock"]


@pytest.fixture(scope="session")
def service_target() -> Iterator[str]:
    """A server of intercept.Service, in another process."""
    with server() as target:
        yield target


@pytest.fixture(scope="session")
def stock_poller() -> Iterator[None]:
    """Has grpc.aio's thread run all the time, so that no test is blamed for it."""
    grpc.aio.init_grpc_aio()
    yield
    grpc.aio.shutdown_grpc_aio()


@pytest.fixture(params=LAYERS)
def layer(request: pytest.FixtureRequest, service_target: str) -> Layer:
    over_stock = request.param == "over stock"
    if over_stock:
        request.getfixturevalue("stock_poller")
    elif "arity" in request.fixturenames and not HAS_STREAMS:
        arity = request.getfixturevalue("arity")
        if arity is not UNARY_UNARY:
            pytest.skip("uvgrpc's calls with streams are not there yet")
    return Layer(service_target, over_stock)


@pytest.fixture(params=ARITIES, ids=lambda arity: arity.name)
def arity(request: pytest.FixtureRequest) -> Arity:
    result: Arity = request.param
    return result


__all__ = ["Arity", "Layer", "arity", "interceptor", "layer", "passing", "service_target", "stock_poller", "until"]
