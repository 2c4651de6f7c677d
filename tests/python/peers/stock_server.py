# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""python -m peers.stock_server aio|sync: a server on grpcio as it is.

Prints its port, serves peer.Service (sync: only Echo and Sleep), and stops when its
standard input ends.
"""

from __future__ import annotations

import asyncio
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import grpc.aio

from peers.service import Service

# The tests need limits that are not in the way.
_OPTIONS = (("grpc.so_reuseport", 0),)


async def serve_aio() -> None:
    server = grpc.aio.server(options=_OPTIONS)
    server.add_generic_rpc_handlers((Service().handler(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(None)


def serve_sync() -> None:
    def echo(request: bytes, context: Any) -> bytes:
        return request

    def sleep(request: bytes, context: Any) -> bytes:
        time.sleep(float(request))
        return request

    server = grpc.server(ThreadPoolExecutor(4), options=_OPTIONS)
    server.add_registered_method_handlers(
        "peer.Service",
        {
            "Echo": grpc.unary_unary_rpc_method_handler(echo),
            "Sleep": grpc.unary_unary_rpc_method_handler(sleep),
        },
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    server.stop(None).wait()


if __name__ == "__main__":
    assert "uvgrpc" not in sys.modules
    if sys.argv[1] == "aio":
        asyncio.run(serve_aio())
    else:
        serve_sync()
