# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""A backend: python server.py PORT."""

from __future__ import annotations

import sys
from typing import Any

import uvgrpc

protos = uvgrpc.proto("greeter.proto")


class Greeter:
    def __init__(self, port: str) -> None:
        self._port = port

    async def Hi(self, request: Any, context: Any) -> Any:
        return protos.HelloReply(message=f"Hello, {request.name}, from {self._port}!")


async def serve(port: str) -> None:
    server = uvgrpc.server()
    server.add_servicer(Greeter(port), protos.Greeter)
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    print(f"listening on port {port}", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    uvgrpc.run(serve(sys.argv[1]))
