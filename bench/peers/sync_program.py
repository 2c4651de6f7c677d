# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Server and clients for grpc's synchronous API: on threads, or on gevent's greenlets."""

from __future__ import annotations

import functools
import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import bench_pb2
import bench_pb2_grpc
import grpc
import program
from program import GREETING, HOST, REPLIES, Options, Window, emit

POOL = 110  # a ping-pong of 100 streams keeps a worker each


class Unary(bench_pb2_grpc.UnaryServicer):
    def SayHello(self, request: bench_pb2.Request, context: object) -> bench_pb2.Reply:
        return bench_pb2.Reply(message=f"Hello, {request.name}!")


class Streaming(bench_pb2_grpc.StreamingServicer):
    def SayHello(self, request: bench_pb2.Request, context: object) -> Iterator[bench_pb2.Reply]:
        for _ in range(REPLIES):
            yield bench_pb2.Reply(message=f"Hello, {request.name}!")


class PingPong(bench_pb2_grpc.PingPongServicer):
    def SayHello(self, requests: Iterator[bench_pb2.Request], context: object) -> Iterator[bench_pb2.Reply]:
        for request in requests:
            yield bench_pb2.Reply(message=f"Hello, {request.name}!")


class Echo(bench_pb2_grpc.EchoServicer):
    def Repeat(self, request: bench_pb2.Payload, context: object) -> bench_pb2.Payload:
        return bench_pb2.Payload(data=request.data)


SERVICES: dict[str, Callable[[Any], None]] = {
    "unary": lambda server: bench_pb2_grpc.add_UnaryServicer_to_server(Unary(), server),
    "streaming": lambda server: bench_pb2_grpc.add_StreamingServicer_to_server(Streaming(), server),
    "pingpong": lambda server: bench_pb2_grpc.add_PingPongServicer_to_server(PingPong(), server),
    "echo": lambda server: bench_pb2_grpc.add_EchoServicer_to_server(Echo(), server),
}


def serve(options: Options, packages: tuple[str, ...], wait_for_stop: Callable[[], object]) -> None:
    workers = 10 if options.kind in ("unary", "echo") else POOL
    server = grpc.server(ThreadPoolExecutor(max_workers=workers), options=options.channel_options)
    SERVICES[options.kind](server)
    port = server.add_insecure_port(f"{HOST}:0")
    server.start()
    emit(port=port, versions=program.versions(*packages))
    wait_for_stop()
    server.stop(1).wait()
    emit(**program.leftovers())


def client(options: Options, packages: tuple[str, ...]) -> None:
    workers: dict[str, Callable[[Any, Tally], None]] = {
        "unary": unary_worker,
        "latency": latency_worker,
        "streaming": streaming_worker,
        "pingpong": pingpong_worker,
        "echo": functools.partial(echo_worker, size=options.size),
    }
    if options.kind not in workers:
        raise NotImplementedError(f"load {options.kind} is for asynchronous peers")
    tally = Tally()
    with (
        grpc.insecure_channel(options.target, options.channel_options) as channel,
        ThreadPoolExecutor(max_workers=options.concurrency) as pool,
    ):
        worker = workers[options.kind]
        futures = [pool.submit(worker, channel, tally) for _ in range(options.concurrency)]
        time.sleep(options.warmup)
        tally.took.clear()
        before, window = tally.count(), Window()
        time.sleep(options.seconds)
        result = window.close(tally.count() - before)
        tally.stopped = True
        for future in futures:
            future.result()
    emit(**result, **program.percentiles(tally.took), versions=program.versions(*packages))


class Tally:
    """Counts of many threads, each in a cell of its own."""

    def __init__(self) -> None:
        self.stopped = False
        self.took: list[float] = []  # of a single caller
        self._cells: list[list[int]] = []
        self._lock = threading.Lock()

    def cell(self) -> list[int]:
        cell = [0]
        with self._lock:
            self._cells.append(cell)
        return cell

    def count(self) -> int:
        with self._lock:
            return sum(cell[0] for cell in self._cells)


def unary_worker(channel: Any, tally: Tally) -> None:
    stub, cell = bench_pb2_grpc.UnaryStub(channel), tally.cell()
    request = bench_pb2.Request(name="you")
    while not tally.stopped:
        check(stub.SayHello(request))
        cell[0] += 1


def latency_worker(channel: Any, tally: Tally) -> None:
    stub, cell = bench_pb2_grpc.UnaryStub(channel), tally.cell()
    request = bench_pb2.Request(name="you")
    while not tally.stopped:
        since = time.perf_counter()
        check(stub.SayHello(request))
        tally.took.append(time.perf_counter() - since)
        cell[0] += 1


def streaming_worker(channel: Any, tally: Tally) -> None:
    stub, cell = bench_pb2_grpc.StreamingStub(channel), tally.cell()
    request = bench_pb2.Request(name="you")
    while not tally.stopped:
        for reply in stub.SayHello(request):
            check(reply)
            cell[0] += 1


def pingpong_worker(channel: Any, tally: Tally) -> None:
    cell = tally.cell()
    requests: queue.SimpleQueue[bench_pb2.Request | None] = queue.SimpleQueue()
    replies = bench_pb2_grpc.PingPongStub(channel).SayHello(iter(requests.get, None))
    request = bench_pb2.Request(name="you")
    while not tally.stopped:
        requests.put(request)
        check(next(replies))
        cell[0] += 1
    requests.put(None)


def echo_worker(channel: Any, tally: Tally, size: int) -> None:
    stub, cell = bench_pb2_grpc.EchoStub(channel), tally.cell()
    data = program.echo_data(size)
    while not tally.stopped:
        if stub.Repeat(bench_pb2.Payload(data=data)).data != data:
            raise RuntimeError("the server replied something else")
        cell[0] += 1


def check(reply: bench_pb2.Reply) -> None:
    if reply.message != GREETING:
        raise RuntimeError(f"the server replied {reply.message!r}")
