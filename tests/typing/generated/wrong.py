# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Mistakes, each of which mypy and pyright are to find, on the lines that say so. Nothing else is one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TypeAlias

import greeter_uvgrpc
import grpc.aio
from greeter_pb2 import HelloReply, HelloRequest
from greeter_uvgrpc import GreeterServicer, GreeterStub

import uvgrpc

Context: TypeAlias = uvgrpc.ServicerContext[HelloRequest, HelloReply]
Reversed: TypeAlias = uvgrpc.ServicerContext[HelloReply, HelloRequest]


class WrongRequest(GreeterServicer):
    async def Hi(self, request: HelloReply, context: Context) -> HelloReply:  # error
        return request

    async def ManyHi(self, request: HelloReply, context: Context) -> AsyncIterator[HelloReply]:  # error
        yield request

    async def HiToMany(self, requests: AsyncIterator[HelloReply], context: Context) -> HelloReply:  # error
        return await anext(requests)

    async def Chat(  # error
        self, requests: AsyncIterator[HelloReply], context: Context
    ) -> AsyncIterator[HelloReply]:
        async for request in requests:
            yield request


class WrongRequestToSend(GreeterServicer):
    async def ManyHi(self, request: HelloReply, context: Context) -> None:  # error
        await context.send(request)

    async def HiToMany(self, requests: HelloRequest, context: Context) -> HelloReply:  # error
        return HelloReply()

    async def Chat(self, requests: HelloRequest, context: Context) -> None:  # error
        await context.send(HelloReply())


class WrongResponse(GreeterServicer):
    async def Hi(self, request: HelloRequest, context: Context) -> HelloRequest:  # error
        return request

    async def ManyHi(self, request: HelloRequest, context: Context) -> AsyncIterator[HelloRequest]:  # error
        yield request

    async def HiToMany(  # error
        self, requests: AsyncIterator[HelloRequest], context: Context
    ) -> HelloRequest:
        return await anext(requests)

    async def Chat(  # error
        self, requests: AsyncIterator[HelloRequest], context: Context
    ) -> AsyncIterator[HelloRequest]:
        async for request in requests:
            yield request


class WrongResponseOfContext(GreeterServicer):
    async def ManyHi(self, context: Context) -> HelloReply:  # error
        return HelloReply()

    async def HiToMany(self, context: Context) -> HelloRequest:  # error
        return HelloRequest()

    async def Chat(self, context: Context) -> HelloReply:  # error
        return HelloReply()


class NoResponse(GreeterServicer):
    async def Hi(self, request: HelloRequest, context: Context) -> None:  # error
        pass

    async def ManyHi(self, request: HelloRequest, context: Context) -> HelloReply:  # error
        return HelloReply()

    async def HiToMany(self, requests: AsyncIterator[HelloRequest], context: Context) -> None:  # error
        pass

    async def Chat(self, requests: AsyncIterator[HelloRequest], context: Context) -> HelloReply:  # error
        return HelloReply()


class NotAsync(GreeterServicer):
    def Hi(self, request: HelloRequest, context: Context) -> HelloReply:  # error
        return HelloReply()

    def ManyHi(self, request: HelloRequest, context: Context) -> Iterator[HelloReply]:  # error
        yield HelloReply()

    def HiToMany(self, requests: AsyncIterator[HelloRequest], context: Context) -> HelloReply:  # error
        return HelloReply()

    def Chat(self, context: Context) -> None:  # error
        pass


class MissingArgument(GreeterServicer):
    async def Hi(self, request: HelloRequest) -> HelloReply:  # error
        return HelloReply()

    async def ManyHi(self, request: HelloRequest) -> AsyncIterator[HelloReply]:  # error
        yield HelloReply()

    async def HiToMany(self, requests: AsyncIterator[HelloRequest]) -> HelloReply:  # error
        return HelloReply()

    async def Chat(self) -> None:  # error
        pass


class OneArgumentTooMany(GreeterServicer):
    async def Hi(self, request: HelloRequest, context: Context, more: int) -> HelloReply:  # error
        return HelloReply()

    async def ManyHi(self, request: HelloRequest, context: Context, more: int) -> None:  # error
        pass

    async def HiToMany(  # error
        self, requests: AsyncIterator[HelloRequest], context: Context, more: int
    ) -> HelloReply:
        return HelloReply()

    async def Chat(  # error
        self, requests: AsyncIterator[HelloRequest], context: Context, more: int
    ) -> None:
        pass


class WrongContext(GreeterServicer):
    async def Hi(self, request: HelloRequest, context: Reversed) -> HelloReply:  # error
        return HelloReply()

    async def ManyHi(self, context: Reversed) -> None:  # error
        pass

    async def HiToMany(self, context: Reversed) -> HelloReply:  # error
        return HelloReply()

    async def Chat(self, requests: AsyncIterator[HelloRequest], context: Reversed) -> None:  # error
        pass


class WrongWay(GreeterServicer):
    """The shapes of other arities."""

    async def Hi(self, context: Context) -> HelloReply:  # error
        return HelloReply()

    async def ManyHi(  # error
        self, requests: AsyncIterator[HelloRequest], context: Context
    ) -> AsyncIterator[HelloReply]:
        yield HelloReply()

    async def HiToMany(  # error
        self, requests: AsyncIterator[HelloRequest], context: Context
    ) -> AsyncIterator[HelloReply]:
        yield HelloReply()

    async def Chat(self, request: HelloRequest, context: Context) -> AsyncIterator[HelloReply]:  # error
        yield HelloReply()


class WrongMessages(GreeterServicer):
    async def Chat(self, context: Context) -> None:
        await context.send(HelloRequest())  # error
        reply: HelloReply = await context.receive()  # error
        await context.send(reply)


async def wrong_calls(channel: uvgrpc.Channel, plain: grpc.aio.Channel) -> None:
    GreeterStub("localhost:50051")  # error
    stub = GreeterStub(channel)
    stub = GreeterStub(plain)
    await stub.Hi(HelloReply())  # error
    await stub.Hi()  # error
    await stub.Hi(HelloRequest(), timeout="a second")  # error
    await stub.Hi(HelloRequest(), None)  # error
    request: HelloRequest = await stub.Hi(HelloRequest())  # error
    await stub.ManyHi(HelloRequest())  # error
    async for request in stub.ManyHi(HelloRequest()):  # error
        print(request)
    stub.Chat([HelloReply()])  # error
    chat = stub.Chat()
    await chat.send(HelloReply())  # error
    request = await chat.receive()  # error
    await stub.HiToMany().send("hi")  # error
    stub.Hi(HelloRequest()).send(HelloRequest())  # error
    stub.hi(HelloRequest())  # error
    await stub.OldHi(HelloRequest())  # error
    greeter_uvgrpc.OldGreeterStub(channel)  # error
