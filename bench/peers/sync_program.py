# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Server and clients for grpc's synchronous API: on threads, or on gevent's greenlets."""

from __future__ import annotations

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
from program import ENTRIES, HOST, REPLIES, UPLOADED, Options, Window, check, check_entries, emit

POOL = 10
WIDE_POOL = 110  # where 100 calls keep a worker each


class Unary(bench_pb2_grpc.UnaryServicer):
    def SayHello(self, request: bench_pb2.Request, context: object) -> bench_pb2.Reply:
        if request.sleep_millisecond:
            time.sleep(request.sleep_millisecond / 1000)
        return bench_pb2.Reply(message=f"Hello, {request.name}!")


class Metadata(bench_pb2_grpc.UnaryServicer):
    def SayHello(self, request: bench_pb2.Request, context: Any) -> bench_pb2.Reply:
        check_entries(context.invocation_metadata())
        context.send_initial_metadata(ENTRIES)
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


class Upload(bench_pb2_grpc.UploadServicer):
    def SayHello(self, requests: Iterator[bench_pb2.Request], context: object) -> bench_pb2.Reply:
        return bench_pb2.Reply(message=f"Hello, {sum(1 for _ in requests)}!")


class ServerInterceptor(grpc.ServerInterceptor):
    def intercept_service(self, continuation: Any, details: Any) -> Any:
        return continuation(details)


class ClientInterceptor(grpc.UnaryUnaryClientInterceptor):
    def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        return continuation(details, request)


def add_unary(server: Any) -> None:
    bench_pb2_grpc.add_UnaryServicer_to_server(Unary(), server)


SERVICES: dict[str, Callable[[Any], None]] = {
    **dict.fromkeys(("unary", "sleeping", "sync", "intercepted"), add_unary),
    "metadata": lambda server: bench_pb2_grpc.add_UnaryServicer_to_server(Metadata(), server),
    "upload": lambda server: bench_pb2_grpc.add_UploadServicer_to_server(Upload(), server),
    "streaming": lambda server: bench_pb2_grpc.add_StreamingServicer_to_server(Streaming(), server),
    "pingpong": lambda server: bench_pb2_grpc.add_PingPongServicer_to_server(PingPong(), server),
    "echo": lambda server: bench_pb2_grpc.add_EchoServicer_to_server(Echo(), server),
}


def serve(options: Options, packages: tuple[str, ...], wait_for_stop: Callable[[], object]) -> None:
    wide = options.kind in ("sleeping", "streaming", "pingpong", "upload")
    server = grpc.server(
        ThreadPoolExecutor(max_workers=WIDE_POOL if wide else POOL),
        interceptors=[ServerInterceptor()] if options.kind == "intercepted" else None,
        options=options.channel_options,
    )
    program.find(SERVICES, options.kind)(server)
    port = add_port(server, options)
    server.start()
    emit(port=port, versions=program.versions(*packages))
    wait_for_stop()
    server.stop(1).wait()
    emit(**program.leftovers())


def add_port(server: Any, options: Options) -> int:
    address, pair = f"{HOST}:{options.port}", program.tls_pair(options)
    if pair is None:
        return int(server.add_insecure_port(address))
    return int(server.add_secure_port(address, grpc.ssl_server_credentials([pair])))


def client(options: Options, packages: tuple[str, ...]) -> None:
    worker = program.find(WORKERS, options.kind)
    tally = Tally(options.size)
    with (
        grpc.insecure_channel(options.target, options.channel_options) as channel,
        ThreadPoolExecutor(max_workers=options.concurrency) as pool,
    ):
        if options.kind == "intercepted":
            channel = grpc.intercept_channel(channel, ClientInterceptor())
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

    def __init__(self, size: int) -> None:
        self.size = size  # of the messages of an echo
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


def echo_worker(channel: Any, tally: Tally) -> None:
    stub, cell = bench_pb2_grpc.EchoStub(channel), tally.cell()
    data = program.echo_data(tally.size)
    while not tally.stopped:
        if stub.Repeat(bench_pb2.Payload(data=data)).data != data:
            raise RuntimeError("the server replied something else")
        cell[0] += 1


def metadata_worker(channel: Any, tally: Tally) -> None:
    stub, cell = bench_pb2_grpc.UnaryStub(channel), tally.cell()
    request = bench_pb2.Request(name="you")
    while not tally.stopped:
        reply, call = stub.SayHello.with_call(request, metadata=ENTRIES)
        check_entries(call.initial_metadata())
        check(reply)
        cell[0] += 1


def upload_worker(channel: Any, tally: Tally) -> None:
    stub, cell = bench_pb2_grpc.UploadStub(channel), tally.cell()
    request = bench_pb2.Request(name="you")
    while not tally.stopped:
        check(stub.SayHello(request for _ in range(REPLIES)), UPLOADED)
        cell[0] += REPLIES


WORKERS: dict[str, Callable[[Any, Tally], None]] = {
    "unary": unary_worker,
    "intercepted": unary_worker,
    "latency": latency_worker,
    "echo": echo_worker,
    "metadata": metadata_worker,
    "streaming": streaming_worker,
    "pingpong": pingpong_worker,
    "upload": upload_worker,
}
