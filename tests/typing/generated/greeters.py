# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Programs on generated code, as users of mypy --strict and of pyright's strict mode write them.

Checked and run.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from typing import Any, TypeAlias, assert_type

import grpc
import grpc.aio
from google.protobuf.empty_pb2 import Empty
from google.protobuf.wrappers_pb2 import Int32Value
from greeter_pb2 import HelloReply, HelloRequest
from greeter_uvgrpc import GreeterServicer, GreeterStub

import uvgrpc

Context: TypeAlias = uvgrpc.ServicerContext[HelloRequest, HelloReply]


def _reply(*requests: HelloRequest) -> HelloReply:
    return HelloReply(message="hi " + " and ".join(one.name for one in requests))


class Yielding(GreeterServicer):
    """Handlers as grpc.aio has them."""

    async def Hi(self, request: HelloRequest, context: Context) -> HelloReply:
        return _reply(request)

    async def ManyHi(self, request: HelloRequest, context: Context) -> AsyncIterator[HelloReply]:
        for _ in range(request.times):
            yield _reply(request)

    async def HiToMany(self, requests: AsyncIterator[HelloRequest], context: Context) -> HelloReply:
        return _reply(*[one async for one in requests])

    async def Chat(
        self, requests: AsyncIterator[HelloRequest], context: Context
    ) -> AsyncIterator[HelloReply]:
        async for request in requests:
            yield _reply(request)

    async def Count(self, request: Empty, context: uvgrpc.ServicerContext[Empty, Int32Value]) -> Int32Value:
        return Int32Value(value=7)

    async def Shout(
        self, request: HelloRequest, context: uvgrpc.ServicerContext[HelloRequest, HelloReply.Loud]
    ) -> HelloReply.Loud:
        return HelloReply.Loud(message=request.name.upper())


class Sending(GreeterServicer):
    """Handlers that take nothing but the context, where they may; other names for arguments."""

    async def Hi(self, hello: HelloRequest, ctx: Context) -> HelloReply:
        return _reply(hello)

    async def ManyHi(self, ctx: Context) -> None:
        hello = assert_type(await ctx.receive(), HelloRequest)
        for _ in range(hello.times):
            await ctx.send(_reply(hello))

    async def HiToMany(self, ctx: Context) -> HelloReply:
        return _reply(*[one async for one in ctx])

    async def Chat(self, ctx: Context) -> None:
        while True:
            try:
                hello = await ctx.receive()
            except uvgrpc.EOF:
                return
            await ctx.send(_reply(hello))

    async def Count(self, empty: Empty, ctx: grpc.aio.ServicerContext[Empty, Int32Value]) -> Int32Value:
        return Int32Value(value=7)

    async def Shout(self, hello: HelloRequest, ctx: Any) -> HelloReply.Loud:
        return HelloReply.Loud(message=hello.name.upper())


class Mixed(GreeterServicer):
    """Handlers that take the requests, and send; arguments of wider types."""

    async def Hi(self, request: object, context: grpc.aio.ServicerContext[Any, Any]) -> HelloReply:
        assert isinstance(request, HelloRequest)
        return _reply(request)

    async def ManyHi(self, request: HelloRequest, context: Context) -> None:
        for _ in range(request.times):
            await context.send(_reply(request))

    async def HiToMany(self, context: Context) -> None:
        await context.send(_reply(*[one async for one in context]))

    async def Chat(self, requests: AsyncIterable[HelloRequest], context: Context) -> None:
        async for request in requests:
            await context.send(_reply(request))

    async def Count(self, request: Empty, context: uvgrpc.ServicerContext[Empty, Int32Value]) -> Int32Value:
        return Int32Value(value=7)

    async def Shout(
        self, request: HelloRequest, context: uvgrpc.ServicerContext[HelloRequest, HelloReply.Loud]
    ) -> HelloReply.Loud:
        return HelloReply.Loud(message=request.name.upper())


class Polite(Yielding):
    """Overrides what overrides."""

    async def Chat(
        self, requests: AsyncIterator[HelloRequest], context: Context
    ) -> AsyncIterator[HelloReply]:
        async for reply in super().Chat(requests, context):
            yield HelloReply(message=reply.message + ", please")


class Annotated(GreeterServicer):
    """The other types that async generators may have."""

    async def ManyHi(self, request: HelloRequest, context: Context) -> AsyncGenerator[HelloReply, None]:
        yield _reply(request)

    async def Chat(
        self, requests: AsyncIterable[HelloRequest], context: Context
    ) -> AsyncIterable[HelloReply]:
        async for request in requests:
            yield _reply(request)


class Partial(GreeterServicer):
    """Leaves the others as they are."""

    async def Hi(self, request: HelloRequest, context: Context) -> HelloReply:
        raise uvgrpc.RpcError(grpc.StatusCode.NOT_FOUND, f"no {request.name}")


async def converse(channel: uvgrpc.Channel) -> list[str]:
    """Calls every method as uvgrpc's calls are made, and gives what came back."""
    stub = GreeterStub(channel)
    said: list[str] = []

    call = assert_type(
        stub.Hi(HelloRequest(name="a"), timeout=20), uvgrpc.UnaryUnaryCall[HelloRequest, HelloReply]
    )
    said.append(assert_type(await call, HelloReply).message)

    async with stub.ManyHi(HelloRequest(name="b", times=2)) as many:
        assert_type(many, uvgrpc.UnaryStreamCall[HelloRequest, HelloReply])
        said.append(assert_type(await many.receive(), HelloReply).message)
        async for reply in many:
            said.append(assert_type(reply, HelloReply).message)

    together = assert_type(stub.HiToMany(), uvgrpc.StreamUnaryCall[HelloRequest, HelloReply])
    for name in "cd":
        await together.send(HelloRequest(name=name))
    await together.done_sending()
    said.append(assert_type(await together, HelloReply).message)

    chat = assert_type(stub.Chat(), uvgrpc.StreamStreamCall[HelloRequest, HelloReply])
    await chat.send(HelloRequest(name="e"))
    said.append(assert_type(await chat.receive(), HelloReply).message)
    await chat.done_sending()
    try:
        await chat.receive()
    except uvgrpc.EOF:
        said.append("end")

    said.append(str(assert_type(await stub.Count(Empty()), Int32Value).value))
    said.append(assert_type(await stub.Shout(HelloRequest(name="f")), HelloReply.Loud).message)
    return said


async def converse_as_stock(channel: uvgrpc.Channel | grpc.aio.Channel) -> list[str]:
    """As converse(), with nothing that grpc.aio's own calls do not have."""
    stub = GreeterStub(channel)
    said = [(await stub.Hi(HelloRequest(name="a"), timeout=20)).message]
    said += [reply.message async for reply in stub.ManyHi(HelloRequest(name="b", times=2))]

    async def requests() -> AsyncIterator[HelloRequest]:
        for name in "cd":
            yield HelloRequest(name=name)

    said.append((await stub.HiToMany(requests())).message)
    chat = stub.Chat()
    await chat.write(HelloRequest(name="e"))
    reply = await chat.read()
    assert isinstance(reply, HelloReply)
    said.append(reply.message)
    await chat.done_writing()
    if await chat.read() is grpc.aio.EOF:
        said.append("end")
    said.append(str((await stub.Count(Empty())).value))
    said.append((await stub.Shout(HelloRequest(name="f"))).message)
    return said


EXPECTED = ["hi a", "hi b", "hi b", "hi c and d", "hi e", "end", "7", "F"]


async def serve(servicer: GreeterServicer) -> None:
    """A program of two lines."""
    server = uvgrpc.server()
    server.add_servicer(servicer)
    server.add_servicer(servicer, GreeterServicer)
    server.add_servicer(servicer, GreeterServicer.__uvgrpc_service__)
    assert_type(server.add_insecure_port("127.0.0.1:0"), int)
    async with server:
        await server.wait_for_termination()


assert_type(GreeterStub.__uvgrpc_service__, uvgrpc.Service)
