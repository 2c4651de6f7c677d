# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""A greeter and a client of it in one process: what tracers instrument."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import hello_pb2
import hello_pb2_grpc

CONCURRENCY = 20
REPLIES = 10


class Greeter(hello_pb2_grpc.GreeterServicer):
    async def SayHello(self, request: hello_pb2.Request, context: Any) -> hello_pb2.Reply:
        if request.name == "nobody":
            await context.abort(grpc.StatusCode.NOT_FOUND, "nobody is here")
        return hello_pb2.Reply(message=f"Hello, {request.name}!")

    async def SayHellos(self, request: hello_pb2.Request, context: Any) -> Any:
        for _ in range(REPLIES):
            yield hello_pb2.Reply(message=f"Hello, {request.name}!")


async def greet(calls: int) -> tuple[Any, Any]:
    """Makes so many unary calls and a tenth as many streams and failures; the server and the channel."""
    server = grpc.aio.server()
    hello_pb2_grpc.add_GreeterServicer_to_server(Greeter(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = hello_pb2_grpc.GreeterStub(channel)
        numbers = iter(range(calls))

        async def caller() -> None:
            for number in numbers:
                reply = await stub.SayHello(hello_pb2.Request(name=str(number)))
                assert reply.message == f"Hello, {number}!"
                if number % 10 == 0:
                    replies = [r.message async for r in stub.SayHellos(hello_pb2.Request(name="you"))]
                    assert replies == ["Hello, you!"] * REPLIES
                    outcome = await stub.SayHello(hello_pb2.Request(name="nobody")).code()
                    assert outcome is grpc.StatusCode.NOT_FOUND

        await asyncio.gather(*(caller() for _ in range(CONCURRENCY)))
    await server.stop(1)
    return server, channel
