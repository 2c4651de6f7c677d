# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What the compat suite shares: methods of all four arities, served and called at once."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import grpc
import pytest
from support import STOCK, aio, run

ARITIES = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")

arities = pytest.mark.parametrize("arity", ARITIES)
unary_responses = pytest.mark.parametrize("arity", ["unary_unary", "stream_unary"])
stream_responses = pytest.mark.parametrize("arity", ["unary_stream", "stream_stream"])
stream_requests = pytest.mark.parametrize("arity", ["stream_unary", "stream_stream"])

uu = grpc.unary_unary_rpc_method_handler
us = grpc.unary_stream_rpc_method_handler
su = grpc.stream_unary_rpc_method_handler
ss = grpc.stream_stream_rpc_method_handler


def looped(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Runs an async test on a uvloop loop of its own."""

    @functools.wraps(test)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        run(test(*args, **kwargs))

    return wrapper


def looped_leaving(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """As `looped`, for a test that leaves calls or channels for the loop to end."""

    @functools.wraps(test)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        run(test(*args, **kwargs), leaves_open=True)

    return wrapper


# ---- handlers


def handler(arity: str, behavior: Any, **codecs: Any) -> grpc.RpcMethodHandler:
    """The method handler of an arity.

    Args:
      arity: a name of ARITIES.
      behavior: what a servicer's method would be.
      codecs: request_deserializer, response_serializer.
    """
    make: Any = {"unary_unary": uu, "unary_stream": us, "stream_unary": su, "stream_stream": ss}[arity]
    return make(behavior, **codecs)


def before_each(arity: str, prepare: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
    """A handler that awaits `prepare(context)` and then echoes."""

    async def single(request: Any, context: Any) -> bytes:
        await prepare(context)
        if arity == "stream_unary":
            return b"".join([one async for one in request])
        return request

    async def many(request: Any, context: Any) -> AsyncIterator[bytes]:
        await prepare(context)
        if arity == "stream_stream":
            async for one in request:
                yield one
        else:
            yield request

    return handler(arity, single if arity.endswith("unary") else many)


def with_context(arity: str, use: Any) -> Any:
    """A handler that calls use(context), a coroutine function or not, and echoes."""

    async def prepare(context: Any) -> None:
        result = use(context)
        if hasattr(result, "__await__"):
            await result

    return before_each(arity, prepare)


def echo_of(arity: str) -> grpc.RpcMethodHandler:
    """Answers what it is sent; several requests joined when there is one response."""

    async def nothing(_context: Any) -> None:
        pass

    return before_each(arity, nothing)


class Gate:
    """A handler of any arity that answers when it is let.

    Attributes:
      entered: set once it runs.
      finish: to be set for it to answer.
    """

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.finish = asyncio.Event()

    async def __wait(self, _context: Any) -> None:
        self.entered.set()
        await self.finish.wait()

    def of(self, arity: str) -> Any:
        return before_each(arity, self.__wait)


class Hang:
    """A handler of any arity that never answers, and tells what becomes of it.

    Attributes:
      entered: set once it runs.
      left: set once it was cancelled.
    """

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.left = asyncio.Event()

    async def __wait(self, _context: Any) -> None:
        self.entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.left.set()

    def of(self, arity: str) -> Any:
        return before_each(arity, self.__wait)


# ---- threads


class DaemonPool(concurrent.futures.Executor):
    """A thread for each piece of work, which nobody waits for.

    For grpc.aio as it is: now and then a handler of its waits for ever for a loop
    that has forgotten it, and would hold up the end of an ordinary pool.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> concurrent.futures.Future[Any]:
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        # From here on nobody can cancel it.
        future.set_running_or_notify_cancel()

        def work() -> None:
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        threading.Thread(target=work, name=self._prefix, daemon=True).start()
        return future


def thread_pool(workers: int) -> concurrent.futures.Executor:
    """Where handlers that are not async run; its threads' names begin with "migration"."""
    if STOCK:
        return DaemonPool("migration")
    return concurrent.futures.ThreadPoolExecutor(workers, thread_name_prefix="migration")


# ---- a server and a channel to it


class Wire:
    """A channel to a server that runs. Called, it calls the method named Method."""

    def __init__(self, server: Any, port: int, channel: Any, methods: dict[str, Any]) -> None:
        self.server = server
        self.port = port
        self.channel = channel
        self._methods = methods

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    def arity(self, name: str = "Method") -> str:
        method = self._methods[name]
        return ARITIES[2 * bool(method.request_streaming) + bool(method.response_streaming)]

    def method(self, name: str = "Method", channel: Any = None, **codecs: Any) -> Any:
        """The multi-callable of a method."""
        return getattr(channel or self.channel, self.arity(name))(f"/test.Service/{name}", **codecs)

    def __call__(self, request: Any = b"request", **arguments: Any) -> Any:
        """Calls Method; a stream of requests when it is a list."""
        if self.arity().startswith("stream") and isinstance(request, bytes):
            request = [request]
        if isinstance(request, list):
            request = iter(request)
        return self.method()(request, **arguments)


@contextlib.asynccontextmanager
async def wired(
    method: Any = None,
    *,
    server_options: dict[str, Any] | None = None,
    target: Callable[[int], str] = "127.0.0.1:{}".format,
    methods: dict[str, Any] | None = None,
    **channel_options: Any,
) -> AsyncIterator[Wire]:
    """A server and a channel to it.

    Args:
      method: the handler of test.Service/Method.
      server_options: arguments of aio.server().
      target: the channel's target, from the port.
      methods: more handlers, by name.
      channel_options: arguments of aio.insecure_channel().
    """
    table = dict(methods or {})
    if method is not None:
        table["Method"] = method
    server = aio.server(**(server_options or {}))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Service", table),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with aio.insecure_channel(target(port), **channel_options) as channel:
            yield Wire(server, port, channel, table)
    finally:
        await server.stop(None)


async def result_of(call: Any) -> Any:
    """The response of a call, joined when it is a stream.

    Raises:
      AioRpcError, CancelledError: as the call does.
    """
    if hasattr(call, "__await__"):
        return await call
    return b"".join([message async for message in call])


async def failure_of(call: Any) -> Any:
    """The AioRpcError that a call ends with."""
    try:
        await result_of(call)
    except grpc.aio.AioRpcError as error:
        return error.with_traceback(None)
    raise AssertionError("the call succeeded")


def own(metadata: Any) -> list[tuple[str, Any]]:
    """The pairs of a metadata whose keys begin with x-."""
    return [(key, value) for key, value in metadata if key.startswith("x-")]


# ---- the wire


class Tap:
    """A TCP proxy on the loopback that keeps what goes through it.

    Attributes:
      port: where it listens.
      sent, received: the bytes from, and to, the clients.
      connections: how many clients have connected.
    """

    def __init__(self) -> None:
        self.port = 0
        self.sent = bytearray()
        self.received = bytearray()
        self.connections = 0

    def sent_flags(self) -> list[int]:
        """The compressed-flags of the messages that clients sent."""
        return _message_flags(bytes(self.sent).removeprefix(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))

    def received_flags(self) -> list[int]:
        """The compressed-flags of the messages that clients were sent."""
        return _message_flags(bytes(self.received))


def _frames(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    while len(data) >= 9:
        size = int.from_bytes(data[:3], "big")
        yield data[3], data[4], int.from_bytes(data[5:9], "big") & 0x7FFFFFFF, data[9 : 9 + size]
        data = data[9 + size :]


def _message_flags(data: bytes) -> list[int]:
    streams: dict[int, bytes] = {}
    for kind, _, stream, payload in _frames(data):
        if kind == 0:
            streams[stream] = streams.get(stream, b"") + payload
    flags = []
    for content in streams.values():
        while len(content) >= 5:
            flags.append(content[0])
            content = content[5 + int.from_bytes(content[1:5], "big") :]
    return flags


class Forwarder:
    """Joins two connections until one of them ends; ends all that are left with the block."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []
        self._writers: list[asyncio.StreamWriter] = []

    def keep(self, *writers: asyncio.StreamWriter) -> None:
        """Closes these at the end."""
        self._writers += writers

    def join(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        record: bytearray | None = None,
    ) -> None:
        """Sends on what `source` reads to `sink`, and keeps a copy in `record`."""
        self._tasks.append(asyncio.create_task(self._pump(source, sink, record)))

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, record: bytearray | None
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                if record is not None:
                    record += data
                sink.write(data)
                await sink.drain()
        sink.close()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


@contextlib.asynccontextmanager
async def tapped(port: int) -> AsyncIterator[Tap]:
    """A Tap in front of a port of 127.0.0.1."""
    tap, forwarder = Tap(), Forwarder()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tap.connections += 1
        forwarder.keep(writer)
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
        forwarder.keep(there_writer)
        forwarder.join(reader, there_writer, tap.sent)
        forwarder.join(there_reader, writer, tap.received)

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    tap.port = listener.sockets[0].getsockname()[1]
    try:
        yield tap
    finally:
        listener.close()
        await forwarder.close()
