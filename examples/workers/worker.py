# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""One of workers.py's processes: python worker.py PORT."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import uvgrpc

protos = uvgrpc.proto("greeter.proto")


class Greeter:
    async def Hi(self, request: Any, context: Any) -> Any:
        await asyncio.sleep(request.seconds)
        return protos.HelloReply(message=f"Hello, {request.name}!", process=os.getpid())


async def serve(port: str) -> None:
    server = uvgrpc.server(grace=20)
    server.add_servicer(Greeter(), protos.Greeter)
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    print("ready", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    uvgrpc.run(serve(sys.argv[1]))
