# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""uvgrpc's own API: messages in, messages out."""

from typing import Any

import bench_pb2
import bench_pb2_grpc
import program
import sync_program
from aio_program import Aio, Tally, Unary, Worker, unary_worker
from program import REPLIES, UPLOADED, Options, check

import uvgrpc


class Streaming(bench_pb2_grpc.StreamingServicer):
    async def SayHello(self, request: bench_pb2.Request, context: Any) -> None:
        for _ in range(REPLIES):
            await context.send(bench_pb2.Reply(message=f"Hello, {request.name}!"))


class PingPong(bench_pb2_grpc.PingPongServicer):
    async def SayHello(self, context: Any) -> None:
        async for request in context:
            await context.send(bench_pb2.Reply(message=f"Hello, {request.name}!"))


class Upload(bench_pb2_grpc.UploadServicer):
    async def SayHello(self, context: Any) -> bench_pb2.Reply:
        count = 0
        async for _ in context:
            count += 1
        return bench_pb2.Reply(message=f"Hello, {count}!")


async def streaming_worker(channel: Any, tally: Tally) -> None:
    stub = bench_pb2_grpc.StreamingStub(channel)
    request = bench_pb2.Request(name="you")
    while not tally.stopped:
        call = stub.SayHello(request)
        try:
            while True:
                check(await call.receive())
                tally.count += 1
        except uvgrpc.EOF:
            pass


async def pingpong_worker(channel: Any, tally: Tally) -> None:
    request = bench_pb2.Request(name="you")
    async with bench_pb2_grpc.PingPongStub(channel).SayHello() as call:
        while not tally.stopped:
            await call.send(request)
            check(await call.receive())
            tally.count += 1
        await call.done_sending()
        await call.code()


async def upload_worker(channel: Any, tally: Tally) -> None:
    stub = bench_pb2_grpc.UploadStub(channel)
    request = bench_pb2.Request(name="you")
    while not tally.stopped:
        async with stub.SayHello() as call:
            for _ in range(REPLIES):
                await call.send(request)
            await call.done_sending()
            check(await call, UPLOADED)
            tally.count += REPLIES


SERVICERS = {"unary": Unary, "streaming": Streaming, "pingpong": PingPong, "upload": Upload}


WORKERS: dict[str, Worker] = {
    "unary": unary_worker,
    "streaming": streaming_worker,
    "pingpong": pingpong_worker,
    "upload": upload_worker,
}


class Own(Aio):
    async def _start(self, options: Options) -> tuple[Any, int]:
        server = uvgrpc.server(options=options.channel_options)
        self._count_own_handles()
        server.add_servicer(program.find(SERVICERS, options.kind)())
        port = sync_program.add_port(server, options)
        server.start()
        return server, port


if __name__ == "__main__":
    peer = Own(uvgrpc, ("uvgrpc", "grpcio", "uvloop", "protobuf"), uvgrpc.loop_stats, WORKERS)
    program.run(lambda options: uvgrpc.run(peer.main(options)))
