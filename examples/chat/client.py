# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""A member of the chat: python client.py PORT [NAME]. Says what it reads, until its end."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import grpc
import uvloop

import uvgrpc

chat_pb2, chat_pb2_grpc = grpc.protos_and_services("chat.proto")


async def listen(call: Any) -> None:
    try:
        async for line in call:
            print(f"{line.name}: {line.text}", flush=True)
    except grpc.aio.AioRpcError as error:
        print(f"left: {error.details()}", flush=True)


async def talk(call: Any) -> None:
    stdin = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    while line := await stdin.readline():
        await call.write(chat_pb2.Line(text=line.decode().rstrip()))
    await call.done_writing()


async def main(port: str, name: str | None) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        metadata = () if name is None else (("name", name),)
        call = chat_pb2_grpc.ChatStub(channel).Join(metadata=metadata)
        talking = asyncio.create_task(talk(call))
        await listen(call)
        talking.cancel()


if __name__ == "__main__":
    uvgrpc.install()
    uvloop.run(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None))
