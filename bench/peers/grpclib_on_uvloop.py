# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""grpclib, gRPC in pure Python, on uvloop."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import Any

import bench_pb2
import program
import uvloop
from grpclib.client import Channel, StreamStreamMethod, UnaryStreamMethod, UnaryUnaryMethod
from grpclib.const import Cardinality, Handler
from grpclib.server import Server
from program import GREETING, HOST, REPLIES, Options, Window, emit

PACKAGES = ("grpclib", "h2", "uvloop", "protobuf")
KINDS = {
    "unary": ("/bench.Unary/SayHello", Cardinality.UNARY_UNARY),
    "streaming": ("/bench.Streaming/SayHello", Cardinality.UNARY_STREAM),
    "pingpong": ("/bench.PingPong/SayHello", Cardinality.STREAM_STREAM),
}


class Service:
    """Answers any of the three calls: they differ only in how many replies a request earns."""

    def __init__(self, kind: str):
        if kind not in KINDS:
            raise NotImplementedError(f"service {kind} is for other peers")
        self._kind = kind

    def __mapping__(self) -> dict[str, Handler]:
        path, cardinality = KINDS[self._kind]
        return {path: Handler(self._say_hello, cardinality, bench_pb2.Request, bench_pb2.Reply)}

    async def _say_hello(self, stream: Any) -> None:
        replies = REPLIES if self._kind == "streaming" else 1
        async for request in stream:
            for _ in range(replies):
                await stream.send_message(bench_pb2.Reply(message=f"Hello, {request.name}!"))


async def serve(options: Options) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = Server([Service(options.kind)])
    await server.start(HOST, 0)
    listener: Any = server._server  # grpclib has no public way to learn the port
    emit(port=listener.sockets[0].getsockname()[1], versions=program.versions(*PACKAGES))
    await stop.wait()
    server.close()
    await server.wait_closed()
    emit(tasks=len(asyncio.all_tasks()) - 1, **program.leftovers())


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

    def _check(self, reply: Any) -> None:
        if reply is None or reply.message != GREETING:
            raise RuntimeError(f"the server replied {reply!r}")
        self.count += 1


async def client(options: Options) -> None:
    host, port = options.target.rsplit(":", 1)
    async with Channel(host, int(port)) as channel:
        load = Load(channel)
        workers = {
            "unary": load.unary,
            "latency": load.latency,
            "streaming": load.streaming,
            "pingpong": load.pingpong,
        }
        if options.kind not in workers:
            raise NotImplementedError(f"load {options.kind} is for peers with the API of grpc.aio")
        failed = asyncio.gather(*(workers[options.kind]() for _ in range(options.concurrency)))
        await asyncio.wait([failed], timeout=options.warmup)
        load.took.clear()
        before, window = load.count, Window()
        await asyncio.wait([failed], timeout=options.seconds)
        result = window.close(load.count - before)
        load.stopped = True
        await failed
    emit(**result, **program.percentiles(load.took), versions=program.versions(*PACKAGES))


def main(options: Options) -> None:
    uvloop.run(serve(options) if options.role == "serve" else client(options))


if __name__ == "__main__":
    program.run(main)
