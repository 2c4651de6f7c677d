# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""A FastAPI application that makes RPCs, for uvicorn, hypercorn and granian."""

import backend  # isort: skip

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import hello_pb2
import hello_pb2_grpc
from fastapi import FastAPI, Request


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with grpc.aio.insecure_channel(os.environ["GREETER"]) as channel:
        app.state.channel, app.state.stub = channel, hello_pb2_grpc.GreeterStub(channel)
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/hello/{name}")
async def hello(name: str, request: Request) -> dict[str, str]:
    """One RPC a request."""
    reply = await request.app.state.stub.SayHello(hello_pb2.Request(name=name))
    return {"message": reply.message}


@app.get("/hellos/{name}")
async def hellos(name: str, request: Request) -> dict[str, int]:
    """A stream of 100 messages a request."""
    replies = [r.message async for r in request.app.state.stub.SayHellos(hello_pb2.Request(name=name))]
    return {
        "right": replies.count(f"Hello, {name}!"),
        "wrong": len(replies) - replies.count(f"Hello, {name}!"),
    }


@app.get("/report")
async def report(request: Request) -> dict[str, object]:
    return backend.report(request.app.state.channel)
