# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The servers of the long soak: server.py uvgrpc|stock PORT PORT_WITH_TLS FOLDER.

A port may be 0. Certificates are FOLDER's key.pem and chain.pem, as they are when a connection comes.
Prints its ports; its figures, as JSON, for every line on its input; and ends, with 5 s of grace, when
that ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

GRACE = 5.0


def answer(request: bytes) -> bytes:
    """What a request is answered with: also to clients in Go, whose messages are of bench.proto."""
    if request[:1] == b"\n":
        # Request(name=...) to Reply(message="Hello, ...!").
        text = b"Hello, " + request[2 : 2 + request[1]] + b"!"
        return b"\n" + bytes([len(text)]) + text
    return b"re:" + request[::-1]


async def _unary(request: bytes, context: Any) -> bytes:
    return answer(request)


async def _slow(request: bytes, context: Any) -> bytes:
    await asyncio.sleep(30)
    return request


async def _down(request: bytes, context: Any) -> AsyncIterator[bytes]:
    for index in range(int(request)):
        yield answer(b"%d" % index)


async def _up(requests: Any, context: Any) -> bytes:
    count = total = 0
    async for request in requests:
        count += 1
        total += len(request)
    return b"%d %d" % (count, total)


async def _chat(requests: Any, context: Any) -> AsyncIterator[bytes]:
    async for request in requests:
        yield answer(request)


def handlers() -> list[Any]:
    methods = {
        "Unary": grpc.unary_unary_rpc_method_handler(_unary),
        "Slow": grpc.unary_unary_rpc_method_handler(_slow),
        "Down": grpc.unary_stream_rpc_method_handler(_down),
        "Up": grpc.stream_unary_rpc_method_handler(_up),
        "Chat": grpc.stream_stream_rpc_method_handler(_chat),
    }
    hello = {"SayHello": grpc.unary_unary_rpc_method_handler(_unary)}
    return [
        grpc.method_handlers_generic_handler("soak.S", methods),
        grpc.method_handlers_generic_handler("bench.Unary", hello),
    ]


def figures() -> dict[str, float]:
    """What this process holds."""
    found: dict[str, float] = {}
    if "uvgrpc" in sys.modules:
        from uvgrpc import loop_stats

        stats = loop_stats()
        found = {"handles": stats.handles, "residents": stats.residents, "worst_turn": stats.worst_turn}
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        **found,
        "rss": pages * os.sysconf("SC_PAGE_SIZE"),
        "fds": len(os.listdir("/proc/self/fd")),
        "tasks": len(asyncio.all_tasks()),
    }


async def main(kind: str, port: int, tls_port: int, folder: Path) -> None:
    aio: Any = grpc.aio
    if kind == "uvgrpc":
        import uvgrpc.aio

        aio = uvgrpc.aio

    def configuration() -> Any:
        pair = (Path(folder, "key.pem").read_bytes(), Path(folder, "chain.pem").read_bytes())
        return grpc.ssl_server_certificate_configuration([pair])

    server = aio.server(handlers=handlers())
    credentials = grpc.dynamic_ssl_server_credentials(configuration(), configuration, False)
    ports = [
        server.add_insecure_port(f"127.0.0.1:{port}"),
        server.add_secure_port(f"127.0.0.1:{tls_port}", credentials),
    ]
    await server.start()
    print(json.dumps(ports), flush=True)
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def asked() -> None:
        if os.read(0, 100):
            print(json.dumps(figures()), flush=True)
        else:
            loop.remove_reader(0)
            ended.set()

    loop.add_reader(0, asked)
    await ended.wait()
    await server.stop(GRACE)


if __name__ == "__main__":
    run = asyncio.run
    if sys.argv[1] == "uvgrpc":
        import uvloop

        run = uvloop.run
    run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])))
