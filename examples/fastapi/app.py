# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Web and gRPC in one loop: GRPC_PORT=50051 uvicorn --loop uvloop app:app"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from fastapi import FastAPI, HTTPException, Request

import uvgrpc

protos = uvgrpc.proto("greeter.proto")


class Greeter:
    async def Hi(self, request: Any, context: Any) -> Any:
        if request.name == "nobody":
            raise uvgrpc.RpcError(grpc.StatusCode.NOT_FOUND, "who is that?")
        return protos.HelloReply(message=f"Hello, {request.name}!")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    server = uvgrpc.server(grace=5)
    server.add_servicer(Greeter(), protos.Greeter)
    port = server.add_insecure_port(f"localhost:{os.environ.get('GRPC_PORT', '0')}")
    async with server, uvgrpc.insecure_channel(f"localhost:{port}") as channel:
        yield {"greeter": protos.Greeter(channel)}


app = FastAPI(lifespan=lifespan)


@app.get("/hello/{name}")
async def hello(name: str, request: Request) -> dict[str, str]:
    try:
        reply = await request.state.greeter.Hi({"name": name}, timeout=2)
    except uvgrpc.RpcError as error:
        status = 404 if error.code() is grpc.StatusCode.NOT_FOUND else 502
        raise HTTPException(status, error.message) from error
    return {"message": reply.message}
