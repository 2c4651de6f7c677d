# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Server and clients for grpclib, gRPC in pure Python."""

from __future__ import annotations

import asyncio
import signal
import ssl
import time
from typing import Any

import bench_pb2
import program
from grpclib.client import (
    Channel,
    StreamStreamMethod,
    StreamUnaryMethod,
    UnaryStreamMethod,
    UnaryUnaryMethod,
)
from grpclib.const import Cardinality, Handler
from grpclib.server import Server
from program import ENTRIES, GREETING, HOST, REPLIES, UPLOADED, Options, Window, check_entries, emit

PACKAGES = ("grpclib", "h2", "protobuf")
UNARY = ("/bench.Unary/SayHello", Cardinality.UNARY_UNARY)
KINDS = {
    **dict.fromkeys(("unary", "sleeping", "metadata"), UNARY),
    "streaming": ("/bench.Streaming/SayHello", Cardinality.UNARY_STREAM),
    "pingpong": ("/bench.PingPong/SayHello", Cardinality.STREAM_STREAM),
    "upload": ("/bench.Upload/SayHello", Cardinality.STREAM_UNARY),
}


class Service:
    def __init__(self, kind: str):
        self._kind = kind

    def __mapping__(self) -> dict[str, Handler]:
        path, cardinality = program.find(KINDS, self._kind)
        handler = {"metadata": self._with_metadata, "upload": self._count}.get(self._kind, self._say_hello)
        return {path: Handler(handler, cardinality, bench_pb2.Request, bench_pb2.Reply)}

    async def _say_hello(self, stream: Any) -> None:
        """The calls differ only in how many replies a request earns."""
        replies = REPLIES if self._kind == "streaming" else 1
        async for request in stream:
            if request.sleep_millisecond:
                await asyncio.sleep(request.sleep_millisecond / 1000)
            for _ in range(replies):
                await stream.send_message(bench_pb2.Reply(message=f"Hello, {request.name}!"))

    async def _with_metadata(self, stream: Any) -> None:
        check_entries(stream.metadata.items())
        await stream.send_initial_metadata(metadata=dict(ENTRIES))
        await self._say_hello(stream)

    async def _count(self, stream: Any) -> None:
        count = 0
        async for _ in stream:
            count += 1
        await stream.send_message(bench_pb2.Reply(message=f"Hello, {count}!"))


async def serve(options: Options) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = Server([Service(options.kind)])
    await server.start(HOST, options.port, ssl=tls(options), reuse_port=True)
    listener: Any = server._server  # grpclib has no public way to learn the port
    emit(port=listener.sockets[0].getsockname()[1], versions=program.versions(*PACKAGES))
    await stop.wait()
    server.close()
    await server.wait_closed()
    emit(tasks=len(asyncio.all_tasks()) - 1, **program.leftovers())


def tls(options: Options) -> ssl.SSLContext | None:
    if not options.certificate:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(options.certificate, options.key)
    context.set_alpn_protocols(["h2"])
    return context


class Load:
    def __init__(self, channel: Channel):
        self._channel = channel
        self._request = bench_pb2.Request(name="you")
        self.count = 0
        self.took: list[float] = []  # where that is measured
        self.stopped = False

    async def unary(self) -> None:
        method = UnaryUnaryMethod(self._channel, KINDS["unary"][0], bench_pb2.Request, bench_pb2.Reply)
        while not self.stopped:
            self._check(await method(self._request))

    async def latency(self) -> None:
        method = UnaryUnaryMethod(self._channel, KINDS["unary"][0], bench_pb2.Request, bench_pb2.Reply)
        while not self.stopped:
            since = time.perf_counter()
            self._check(await method(self._request))
            self.took.append(time.perf_counter() - since)

    async def streaming(self) -> None:
        method = UnaryStreamMethod(self._channel, KINDS["streaming"][0], bench_pb2.Request, bench_pb2.Reply)
        while not self.stopped:
            async with method.open() as stream:
                await stream.send_message(self._request, end=True)
                async for reply in stream:
                    self._check(reply)

    async def pingpong(self) -> None:
        method = StreamStreamMethod(self._channel, KINDS["pingpong"][0], bench_pb2.Request, bench_pb2.Reply)
        async with method.open() as stream:
            while not self.stopped:
                await stream.send_message(self._request)
                self._check(await stream.recv_message())
            await stream.end()

    async def metadata(self) -> None:
        method = UnaryUnaryMethod(self._channel, KINDS["unary"][0], bench_pb2.Request, bench_pb2.Reply)
        while not self.stopped:
            async with method.open(metadata=dict(ENTRIES)) as stream:
                await stream.send_message(self._request, end=True)
                reply = await stream.recv_message()
                check_entries((stream.initial_metadata or {}).items())
                self._check(reply)

    async def upload(self) -> None:
        method = StreamUnaryMethod(self._channel, KINDS["upload"][0], bench_pb2.Request, bench_pb2.Reply)
        while not self.stopped:
            async with method.open() as stream:
                for _ in range(REPLIES):
                    await stream.send_message(self._request)
                await stream.end()
                self._check(await stream.recv_message(), UPLOADED, REPLIES)

    def _check(self, reply: Any, wanted: str = GREETING, count: int = 1) -> None:
        if reply is None or reply.message != wanted:
            raise RuntimeError(f"the server replied {reply!r}")
        self.count += count


async def client(options: Options) -> None:
    host, port = options.target.rsplit(":", 1)
    async with Channel(host, int(port)) as channel:
        load = Load(channel)
        workers = {
            "unary": load.unary,
            "latency": load.latency,
            "streaming": load.streaming,
            "pingpong": load.pingpong,
            "metadata": load.metadata,
            "upload": load.upload,
        }
        worker = program.find(workers, options.kind)
        failed = asyncio.gather(*(worker() for _ in range(options.concurrency)))
        await asyncio.wait([failed], timeout=options.warmup)
        load.took.clear()
        before, window = load.count, Window()
        await asyncio.wait([failed], timeout=options.seconds)
        result = window.close(load.count - before)
        load.stopped = True
        await failed
    emit(**result, **program.percentiles(load.took), versions=program.versions(*PACKAGES))


async def main(options: Options) -> None:
    await (serve(options) if options.role == "serve" else client(options))
