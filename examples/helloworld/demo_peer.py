# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The other processes of demo.py: stock grpc's server and client, and load for the rates.

demo_peer.py serve                   the Greeter of server.py on stock grpc.aio
demo_peer.py greet PORT NAME         one call by stock grpc's synchronous client
demo_peer.py load PORT SECONDS stock|uvgrpc
                                     100 concurrent calls; prints JSON: rate, threads
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable

import grpc
import helloworld_pb2
import helloworld_pb2_grpc
import server
import uvloop

import uvgrpc

CONCURRENCY = 100
WARMUP = 0.3


def serve() -> None:
    uvloop.run(server.serve(0))


def greet(port: str, name: str) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = helloworld_pb2_grpc.GreeterStub(channel)
        print(stub.SayHello(helloworld_pb2.HelloRequest(name=name), timeout=5).message)


def load(port: str, seconds: str, kind: str) -> None:
    if kind == "uvgrpc":
        uvgrpc.install()
    uvloop.run(measure(int(port), float(seconds)))


async def measure(port: int, seconds: float) -> None:
    end = time.perf_counter() + WARMUP + seconds
    calls = 0

    async def caller(stub: helloworld_pb2_grpc.GreeterStub) -> None:
        nonlocal calls
        while time.perf_counter() < end:
            await stub.SayHello(helloworld_pb2.HelloRequest(name="you"))
            calls += 1

    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = helloworld_pb2_grpc.GreeterStub(channel)
        callers = asyncio.gather(*(caller(stub) for _ in range(CONCURRENCY)))
        await asyncio.sleep(WARMUP)
        before, start = calls, time.perf_counter()
        await callers
        rate = (calls - before) / (time.perf_counter() - start)
        print(json.dumps({"rate": rate, "threads": len(os.listdir("/proc/self/task"))}))


COMMANDS: dict[str, Callable[..., None]] = {"serve": serve, "greet": greet, "load": load}

if __name__ == "__main__":
    COMMANDS[sys.argv[1]](*sys.argv[2:])
