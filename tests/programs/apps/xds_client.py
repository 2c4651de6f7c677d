# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""A client of xds:///greeter: xds_client.py CALLS. It says when half of the calls are done."""

import backend  # isort: skip

import asyncio
import sys
import time

import grpc
import hello_pb2
import hello_pb2_grpc
import uvloop

CONCURRENCY = 20
calls = int(sys.argv[1])


async def main() -> None:
    async with grpc.aio.insecure_channel("xds:///greeter") as channel:
        stub = hello_pb2_grpc.GreeterStub(channel)
        before = time.process_time()
        answers: dict[str, int] = {}
        numbers = iter(range(calls))
        moved = asyncio.Event()

        async def caller() -> None:
            for number in numbers:
                if number == calls // 2:
                    backend.emit({"half": True})
                reply = await stub.SayHello(hello_pb2.Request(name="you"), timeout=20, wait_for_ready=True)
                answers[reply.message] = answers.get(reply.message, 0) + 1
                if reply.message == "Goodbye, you!":
                    moved.set()

        async def go_on() -> None:
            """Until the control plane's change has arrived."""
            while not moved.is_set():
                reply = await stub.SayHello(hello_pb2.Request(name="you"), timeout=20)
                answers[reply.message] = answers.get(reply.message, 0) + 1
                if reply.message == "Goodbye, you!":
                    moved.set()

        await asyncio.gather(*(caller() for _ in range(CONCURRENCY)))
        await asyncio.wait_for(go_on(), 20)
        after = {(await stub.SayHello(hello_pb2.Request(name="you"))).message for _ in range(100)}
        backend.emit(backend.report(channel, since=before, answers=answers, after=sorted(after)))


uvloop.run(main())
