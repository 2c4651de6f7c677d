# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The Greeter's client: python client.py PORT [NAME]."""

from __future__ import annotations

import sys

import grpc
import helloworld_pb2
import helloworld_pb2_grpc
import uvloop

import uvgrpc


async def greet(port: int, name: str) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = helloworld_pb2_grpc.GreeterStub(channel)
        reply = await stub.SayHello(helloworld_pb2.HelloRequest(name=name), timeout=5)
        print(reply.message)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    uvgrpc.install()  # without this line: stock grpc.aio
    uvloop.run(greet(int(sys.argv[1]), sys.argv[2] if len(sys.argv) == 3 else "you"))
