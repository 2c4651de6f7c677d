# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""python -m peers.stock_tls server|client: grpcio as it is, over TLS.

Reads a line of JSON: {"key", "chain", "roots"} in PEM or null, and for the client
"target". The server prints its port and stops when its input ends; the client prints
the response of peer.Service/Auth, or the name of the status code.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import grpc
import grpc.aio

from peers.service import Service


def pem(config: dict[str, Any], name: str) -> bytes | None:
    return config[name].encode() if config[name] else None


async def serve(config: dict[str, Any]) -> None:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Service().handler(),))
    roots = pem(config, "roots")
    credentials = grpc.ssl_server_credentials(
        [(pem(config, "key"), pem(config, "chain"))], roots, roots is not None
    )
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    print(port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(None)


async def call(config: dict[str, Any]) -> None:
    credentials = grpc.ssl_channel_credentials(pem(config, "roots"), pem(config, "key"), pem(config, "chain"))
    async with grpc.aio.secure_channel(config["target"], credentials) as channel:
        try:
            print((await channel.unary_unary("/peer.Service/Auth")(b"")).decode())
        except grpc.aio.AioRpcError as error:
            print(json.dumps(error.code().name))


if __name__ == "__main__":
    assert "uvgrpc" not in sys.modules
    asyncio.run({"server": serve, "client": call}[sys.argv[1]](json.loads(sys.stdin.readline())))
