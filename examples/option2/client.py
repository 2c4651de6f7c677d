# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The Greeter's client, with generated files: python client.py PORT [NAME ...]."""

from __future__ import annotations

import sys

import helloworld_pb2
import helloworld_pb2_grpc

import uvgrpc


async def greet(target: str, names: list[str]) -> None:
    async with uvgrpc.insecure_channel(target) as channel:
        stub = helloworld_pb2_grpc.GreeterStub(channel)
        response = await stub.Hi(helloworld_pb2.HelloRequest(name=names[0]), timeout=5)
        print(response.message)

        call = stub.StreamingHi(timeout=5)
        for name in names:
            await call.send(helloworld_pb2.HelloRequest(name=name))
            message = await call.receive()
            print(message.message)
        await call.done_sending()
        while True:
            try:
                message = await call.receive()
            except uvgrpc.EOF:
                break
            print(message.message)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    uvgrpc.run(greet(f"localhost:{sys.argv[1]}", sys.argv[2:] or ["you"]))
