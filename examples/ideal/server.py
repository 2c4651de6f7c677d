# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The Greeter's server, without generated files: python server.py [PORT]."""

from __future__ import annotations

import sys
from typing import Any

import uvgrpc

protos = uvgrpc.proto("helloworld.proto")


class Greeter:
    async def Hi(self, request: Any, context: uvgrpc.ServicerContext[Any, Any]) -> Any:
        return protos.HelloReply(message=f"Hello, {request.name}!")

    async def StreamingHi(self, context: uvgrpc.ServicerContext[Any, Any]) -> None:
        while True:
            try:
                request = await context.receive()
            except uvgrpc.EOF:
                break
            await context.send(protos.HelloReply(message=f"Hello, {request.name}!"))
        await context.send(protos.HelloReply(message="Bye!"))


async def serve(port: int) -> None:
    server = uvgrpc.server()
    server.add_servicer(Greeter(), protos.Greeter)
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    print(f"listening on port {port}", flush=True)
    await server.wait_for_termination()
    print("stopped", flush=True)


if __name__ == "__main__":
    uvgrpc.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
