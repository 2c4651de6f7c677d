# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The Greeter's server, with generated files: python server.py [PORT]."""

from __future__ import annotations

import sys

import helloworld_pb2
import helloworld_pb2_grpc

import uvgrpc

Context = uvgrpc.ServicerContext[helloworld_pb2.HelloRequest, helloworld_pb2.HelloReply]


class Greeter(helloworld_pb2_grpc.GreeterServicer):
    async def Hi(self, request: helloworld_pb2.HelloRequest, context: Context) -> helloworld_pb2.HelloReply:
        return helloworld_pb2.HelloReply(message=f"Hello, {request.name}!")

    async def StreamingHi(self, context: Context) -> None:
        async for request in context:
            await context.send(helloworld_pb2.HelloReply(message=f"Hello, {request.name}!"))
        await context.send(helloworld_pb2.HelloReply(message="Bye!"))


async def serve(port: int) -> None:
    server = uvgrpc.server()
    server.add_servicer(Greeter())
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    print(f"listening on port {port}", flush=True)
    await server.wait_for_termination()
    print("stopped", flush=True)


if __name__ == "__main__":
    uvgrpc.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
