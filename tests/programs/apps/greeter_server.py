# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""A greeter with reflection, for grpcurl, ghz and the web programs."""

import backend  # isort: skip

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import grpc
import hello_pb2
import hello_pb2_grpc
import uvloop
from grpc_reflection.v1alpha import reflection

REPLIES = 100
GREETING = os.environ.get("GREETING", "Hello")


class Greeter(hello_pb2_grpc.GreeterServicer):
    async def SayHello(self, request: hello_pb2.Request, context: object) -> hello_pb2.Reply:
        return hello_pb2.Reply(message=f"{GREETING}, {request.name}!")

    async def SayHellos(self, request: hello_pb2.Request, context: object) -> AsyncIterator[hello_pb2.Reply]:
        for _ in range(REPLIES):
            yield hello_pb2.Reply(message=f"{GREETING}, {request.name}!")


async def main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = grpc.aio.server()
    hello_pb2_grpc.add_GreeterServicer_to_server(Greeter(), server)
    names = [service.full_name for service in hello_pb2.DESCRIPTOR.services_by_name.values()]
    reflection.enable_server_reflection([*names, reflection.SERVICE_NAME], server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    backend.emit(backend.report(server, port=port))
    await stop.wait()
    await server.stop(1)


uvloop.run(main())
