# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""python server.py uvgrpc|stock [tls]: a server for h2spec.

Prints its port, and stops at the end of its input.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import grpc
import grpc.aio


async def echo(request: bytes, context: Any) -> bytes:
    return request


async def main(aio: Any, *, tls: bool) -> None:
    server = aio.server()
    methods = {"Echo": grpc.unary_unary_rpc_method_handler(echo)}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.Service", methods)])
    if tls:
        import trustme

        made = trustme.CA().issue_cert("127.0.0.1")
        chain = b"".join(pem.bytes() for pem in made.cert_chain_pems)
        credentials = grpc.ssl_server_credentials([(made.private_key_pem.bytes(), chain)])
        port = server.add_secure_port("127.0.0.1:0", credentials)
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(None)


if __name__ == "__main__":
    with_tls = "tls" in sys.argv[2:]
    if sys.argv[1] == "stock":
        asyncio.run(main(grpc.aio, tls=with_tls))
    else:
        import uvloop

        import uvgrpc.aio

        uvloop.run(main(uvgrpc.aio, tls=with_tls))
