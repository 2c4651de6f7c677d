# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The Greeter over TLS: python server.py [PORT] [--mutual]. Takes new certificates while it runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import grpc

import uvgrpc

protos = uvgrpc.proto("greeter.proto")
FOLDER = Path(os.environ.get("CERTIFICATES", "."))


class Greeter:
    async def Hi(self, request: Any, context: uvgrpc.ServicerContext[Any, Any]) -> Any:
        # What the client's certificate says; nobody without one.
        known = [name.decode() for name in context.peer_identities() or ()]
        return protos.HelloReply(message=f"Hello, {', '.join(known) or request.name}!")


class Certificates:
    """Asked before each handshake, on the loop: what is new, or None."""

    def __init__(self) -> None:
        self._seen = 0

    def __call__(self) -> grpc.ServerCertificateConfiguration | None:
        changed = os.stat(FOLDER / "server.pem").st_mtime_ns
        if changed == self._seen:
            return None
        self._seen = changed
        key, chain, authority = (
            (FOLDER / name).read_bytes() for name in ("server.key", "server.pem", "authority.pem")
        )
        return grpc.ssl_server_certificate_configuration([(key, chain)], authority)


async def serve(port: int, mutual: bool) -> None:
    certificates = Certificates()
    credentials = grpc.dynamic_ssl_server_credentials(certificates(), certificates, mutual)
    server = uvgrpc.server()
    server.add_servicer(Greeter(), protos.Greeter)
    port = server.add_secure_port(f"localhost:{port}", credentials)
    server.start()
    print(f"listening on port {port}", flush=True)
    await server.wait_for_termination()
    print("stopped", flush=True)


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:] if argument.isdigit()]
    uvgrpc.run(serve(numbers[0] if numbers else 0, "--mutual" in sys.argv))
