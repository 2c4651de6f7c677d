# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The Greeter's server: python server.py [PORT]. Ctrl-C stops it gracefully."""

from __future__ import annotations

import asyncio
import signal
import sys

import grpc
import helloworld_pb2
import helloworld_pb2_grpc
import uvloop

import uvgrpc


class Greeter(helloworld_pb2_grpc.GreeterServicer):
    async def SayHello(
        self, request: helloworld_pb2.HelloRequest, context: grpc.aio.ServicerContext
    ) -> helloworld_pb2.HelloReply:
        if request.sleep_millisecond:
            await asyncio.sleep(request.sleep_millisecond / 1000)
        return helloworld_pb2.HelloReply(message=f"Hello, {request.name}!")


async def serve(port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = grpc.aio.server()
    helloworld_pb2_grpc.add_GreeterServicer_to_server(Greeter(), server)
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    print(f"listening on port {port}", flush=True)
    await stop.wait()
    await server.stop(grace=5)
    print("stopped", flush=True)


if __name__ == "__main__":
    uvgrpc.install()  # without this line: stock grpc.aio
    uvloop.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
