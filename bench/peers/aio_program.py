# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Server and clients for anything with the API of grpc.aio."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import ModuleType
from typing import Any, Protocol

import bench_pb2
import bench_pb2_grpc
import grpc
import program
import sync_program
import web
from beside import second_loop, timer_lag
from program import ENTRIES, REPLIES, UPLOADED, Options, Window, check, check_entries, emit

SLEEP_MS = 50  # of a call that is to be cancelled or to miss its deadline
DEADLINE = 0.005
SETTLE = 0.5  # until the other side has seen the last cancellation, and connections are closed


class Unary(bench_pb2_grpc.UnaryServicer):
    async def SayHello(self, request: bench_pb2.Request, context: object) -> bench_pb2.Reply:
        if request.sleep_millisecond:
            await asyncio.sleep(request.sleep_millisecond / 1000)
        return bench_pb2.Reply(message=f"Hello, {request.name}!")


class Metadata(bench_pb2_grpc.UnaryServicer):
    async def SayHello(self, request: bench_pb2.Request, context: Any) -> bench_pb2.Reply:
        check_entries(context.invocation_metadata())
        await context.send_initial_metadata(ENTRIES)
        return bench_pb2.Reply(message=f"Hello, {request.name}!")


class Streaming(bench_pb2_grpc.StreamingServicer):
    async def SayHello(self, request: bench_pb2.Request, context: object) -> AsyncIterator[bench_pb2.Reply]:
        for _ in range(REPLIES):
            yield bench_pb2.Reply(message=f"Hello, {request.name}!")


class PingPong(bench_pb2_grpc.PingPongServicer):
    async def SayHello(
        self, requests: AsyncIterator[bench_pb2.Request], context: object
    ) -> AsyncIterator[bench_pb2.Reply]:
        async for request in requests:
            yield bench_pb2.Reply(message=f"Hello, {request.name}!")


class Echo(bench_pb2_grpc.EchoServicer):
    async def Repeat(self, request: bench_pb2.Payload, context: object) -> bench_pb2.Payload:
        return bench_pb2.Payload(data=request.data)


class Upload(bench_pb2_grpc.UploadServicer):
    async def SayHello(self, requests: AsyncIterator[bench_pb2.Request], context: object) -> bench_pb2.Reply:
        count = 0
        async for _ in requests:
            count += 1
        return bench_pb2.Reply(message=f"Hello, {count}!")


class ServerInterceptor(grpc.aio.ServerInterceptor):
    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        return await continuation(details)


class ClientInterceptor(grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        return await continuation(details, request)


def add_unary(server: Any) -> None:
    bench_pb2_grpc.add_UnaryServicer_to_server(Unary(), server)


SERVICES: dict[str, Callable[[Any], None]] = {
    **dict.fromkeys(("unary", "sleeping", "intercepted", "loops", "starlette", "fair"), add_unary),
    "sync": sync_program.add_unary,
    "metadata": lambda server: bench_pb2_grpc.add_UnaryServicer_to_server(Metadata(), server),
    "upload": lambda server: bench_pb2_grpc.add_UploadServicer_to_server(Upload(), server),
    "streaming": lambda server: bench_pb2_grpc.add_StreamingServicer_to_server(Streaming(), server),
    "pingpong": lambda server: bench_pb2_grpc.add_PingPongServicer_to_server(PingPong(), server),
    "echo": lambda server: bench_pb2_grpc.add_EchoServicer_to_server(Echo(), server),
}


class OpenObjects(Protocol):
    """Counters of the running loop: of libuv handles, and of channels, servers and calls."""

    @property
    def handles(self) -> int: ...

    @property
    def residents(self) -> int: ...


class Aio:
    """A peer: an aio module, if it has any its counters, and what its client does if not the usual."""

    def __init__(
        self,
        aio: ModuleType,
        packages: tuple[str, ...],
        counters: Callable[..., OpenObjects] | None = None,
        workers: Mapping[str, Worker] | None = None,
    ):
        self._aio = aio
        self._packages = packages
        self._counters = counters
        self._workers = workers or WORKERS
        self._own_handles = 0  # what the loop itself keeps open

    async def main(self, options: Options) -> None:
        if options.role == "serve":
            await self._serve(options)
            await asyncio.sleep(SETTLE)
            emit(**self._left())
        else:
            result = await self._client(options)
            if options.kind == "soak":
                await asyncio.sleep(SETTLE)
            emit(**result, **self._left(), versions=program.versions(*self._packages))

    async def _client(self, options: Options) -> dict[str, object]:
        load = soak if options.kind == "soak" else self._load(program.find(self._workers, options.kind))
        interceptors = [ClientInterceptor()] if options.kind == "intercepted" else None
        async with self._aio.insecure_channel(
            options.target, options=options.channel_options, interceptors=interceptors
        ) as channel:
            self._count_own_handles()
            return await load(channel, options)

    async def _serve(self, options: Options) -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        async with contextlib.AsyncExitStack() as beside:
            server, port = await self._start(options)
            fields = {}
            if options.kind == "loops":
                beside.enter_context(second_loop(lambda: self._start(replace(options, port=port))))
            elif options.kind == "fair":
                beside.enter_context(timer_lag())
            elif options.kind == "starlette":
                fields["http_port"] = await beside.enter_async_context(web.serve())
            emit(port=port, **fields, versions=program.versions(*self._packages))
            await stop.wait()
        await server.stop(1)

    async def _start(self, options: Options) -> tuple[Any, int]:
        """A running server and its port."""
        server = self._aio.server(
            migration_thread_pool=ThreadPoolExecutor(sync_program.POOL) if options.kind == "sync" else None,
            interceptors=[ServerInterceptor()] if options.kind == "intercepted" else None,
            options=options.channel_options,
        )
        self._count_own_handles()
        program.find(SERVICES, options.kind)(server)
        port = sync_program.add_port(server, options)
        await server.start()
        return server, port

    def _count_own_handles(self) -> None:
        if self._counters is not None:
            self._own_handles = self._counters().handles

    def _left(self) -> dict[str, int]:
        """What is open although every channel and server is closed and dropped."""
        left = {"tasks": len(asyncio.all_tasks()) - 1, **program.leftovers()}
        if self._counters is not None:
            counters = self._counters()
            left["calls"] += counters.residents
            left["handles"] = counters.handles - self._own_handles
        return left

    @staticmethod
    def _load(worker: Callable[[Any, Tally], Coroutine[Any, Any, None]]) -> Any:
        async def measure(channel: Any, options: Options) -> dict[str, object]:
            tally = Tally(options.size)
            workers = [asyncio.ensure_future(worker(channel, tally)) for _ in range(options.concurrency)]
            failed = asyncio.gather(*workers)
            await asyncio.wait([failed], timeout=options.warmup)
            tally.took.clear()
            before, window = tally.count, Window()
            await asyncio.wait([failed], timeout=options.seconds)
            result = window.close(tally.count - before)
            tally.stopped = True
            await failed
            return {**result, **program.percentiles(tally.took)}

        return measure


class Tally:
    """Calls, or messages of streams, that the workers have finished."""

    def __init__(self, size: int) -> None:
        self.size = size  # of the messages of an echo
        self.count = 0
        self.took: list[float] = []  # where that is measured
        self.stopped = False


async def unary_worker(channel: Any, tally: Tally) -> None:
    stub = bench_pb2_grpc.UnaryStub(channel)
    request = bench_pb2.Request(name="you")
    while not tally.stopped:
        reply = await stub.SayHello(request)
        check(reply)
        tally.count += 1


async def latency_worker(channel: Any, tally: Tally) -> None:
    stub = bench_pb2_grpc.UnaryStub(channel)
    request = bench_pb2.Request(name="you")
    while not tally.stopped:
        since = time.perf_counter()
        check(await stub.SayHello(request))
        tally.took.append(time.perf_counter() - since)
        tally.count += 1


async def streaming_worker(channel: Any, tally: Tally) -> None:
    stub = bench_pb2_grpc.StreamingStub(channel)
    request = bench_pb2.Request(name="you")
    while not tally.stopped:
        async for reply in stub.SayHello(request):
            check(reply)
            tally.count += 1


async def pingpong_worker(channel: Any, tally: Tally) -> None:
    call = bench_pb2_grpc.PingPongStub(channel).SayHello()
    request = bench_pb2.Request(name="you")
    while not tally.stopped:
        await call.write(request)
        check(await call.read())
        tally.count += 1
    await call.done_writing()
    await call.code()


async def echo_worker(channel: Any, tally: Tally) -> None:
    stub = bench_pb2_grpc.EchoStub(channel)
    data = program.echo_data(tally.size)
    while not tally.stopped:
        reply = await stub.Repeat(bench_pb2.Payload(data=data))
        if reply.data != data:
            raise RuntimeError("the server replied something else")
        tally.count += 1


async def metadata_worker(channel: Any, tally: Tally) -> None:
    stub = bench_pb2_grpc.UnaryStub(channel)
    request = bench_pb2.Request(name="you")
    while not tally.stopped:
        call = stub.SayHello(request, metadata=ENTRIES)
        check_entries(await call.initial_metadata())
        check(await call)
        tally.count += 1


async def upload_worker(channel: Any, tally: Tally) -> None:
    stub = bench_pb2_grpc.UploadStub(channel)
    request = bench_pb2.Request(name="you")
    while not tally.stopped:
        call = stub.SayHello()
        for _ in range(REPLIES):
            await call.write(request)
        await call.done_writing()
        check(await call, UPLOADED)
        tally.count += REPLIES


Worker = Callable[[Any, Tally], Coroutine[Any, Any, None]]
WORKERS: dict[str, Worker] = {
    "unary": unary_worker,
    "intercepted": unary_worker,
    "latency": latency_worker,
    "echo": echo_worker,
    "metadata": metadata_worker,
    "streaming": streaming_worker,
    "pingpong": pingpong_worker,
    "upload": upload_worker,
}


async def soak(channel: Any, options: Options) -> dict[str, object]:
    """Of count calls, cancel one in a hundred and let one in a hundred miss its deadline."""
    stub = bench_pb2_grpc.UnaryStub(channel)
    numbers = iter(range(options.count))
    outcomes = {"ok": 0, "cancelled": 0, "late": 0}
    half_rss = 0
    window = Window(told=False)

    async def worker() -> None:
        nonlocal half_rss
        for number in numbers:
            if number == options.count // 2:
                half_rss = program.resident_bytes()
                emit(half=True)
            outcomes[await soak_call(stub, number % 100)] += 1

    await asyncio.gather(*(worker() for _ in range(options.concurrency)))
    result = window.close(options.count)
    await asyncio.sleep(SETTLE)
    return {**result, **outcomes, "half_rss": half_rss, "end_rss": program.resident_bytes()}


async def soak_call(stub: Any, turn: int) -> str:
    if turn == 1:
        call = stub.SayHello(bench_pb2.Request(name="you", sleep_millisecond=SLEEP_MS))
        await asyncio.sleep(0.002)
        call.cancel()
        try:
            await call
        except asyncio.CancelledError:
            return "cancelled"
        raise RuntimeError("a cancelled call returned a reply")
    if turn == 2:
        try:
            await stub.SayHello(bench_pb2.Request(name="you", sleep_millisecond=SLEEP_MS), timeout=DEADLINE)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                return "late"
            raise
        raise RuntimeError("a call past its deadline returned a reply")
    check(await stub.SayHello(bench_pb2.Request(name="you")))
    return "ok"
