# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""A chat room: python server.py [PORT]. Streams both ways, and an interceptor."""

from __future__ import annotations

import asyncio
import contextvars
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import uvloop

import uvgrpc

# Compiled when imported; needs grpcio-tools.
chat_pb2, chat_pb2_grpc = grpc.protos_and_services("chat.proto")

user: contextvars.ContextVar[str] = contextvars.ContextVar("user")


class Introduction(grpc.aio.ServerInterceptor):
    """Lets nobody in who does not say a name; handlers find it in `user`."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler]],
        details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler:
        name = dict(details.invocation_metadata).get("name")
        if name is None:
            return grpc.stream_stream_rpc_method_handler(self._refuse)
        user.set(name)
        return await continuation(details)

    async def _refuse(self, _lines: Any, context: grpc.aio.ServicerContext) -> None:
        await context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you?")


class Room(chat_pb2_grpc.ChatServicer):
    def __init__(self) -> None:
        self._members: set[asyncio.Queue[Any]] = set()

    async def Join(self, lines: AsyncIterator[Any], context: grpc.aio.ServicerContext) -> AsyncIterator[Any]:
        # A member that does not keep up misses lines; the others do not wait for it.
        inbox: asyncio.Queue[Any] = asyncio.Queue(maxsize=1000)
        self._members.add(inbox)
        listener = asyncio.create_task(self._listen(lines, inbox))
        try:
            yield chat_pb2.Line(name="room", text=f"{len(self._members)} here")
            while (line := await inbox.get()) is not None:
                yield line
        finally:
            listener.cancel()
            self._members.discard(inbox)

    async def _listen(self, lines: AsyncIterator[Any], own: asyncio.Queue[Any]) -> None:
        async for line in lines:
            said = chat_pb2.Line(name=user.get(), text=line.text)
            for inbox in self._members - {own}:
                if not inbox.full():
                    inbox.put_nowait(said)
        await own.put(None)


async def serve(port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = grpc.aio.server(interceptors=[Introduction()])
    chat_pb2_grpc.add_ChatServicer_to_server(Room(), server)
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    print(f"listening on port {port}", flush=True)
    await stop.wait()
    await server.stop(grace=1)
    print("stopped", flush=True)


if __name__ == "__main__":
    uvgrpc.install()
    uvloop.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
