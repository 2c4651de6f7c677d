# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The Greeter's client over TLS: python client.py PORT [--certificate]."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import grpc

import uvgrpc

protos = uvgrpc.proto("greeter.proto")
FOLDER = Path(os.environ.get("CERTIFICATES", "."))


async def greet(target: str, has_certificate: bool) -> None:
    authority = (FOLDER / "authority.pem").read_bytes()
    own = [(FOLDER / name).read_bytes() for name in ("client.key", "client.pem")] if has_certificate else []
    credentials = grpc.ssl_channel_credentials(authority, *own)
    async with uvgrpc.secure_channel(target, credentials) as channel:
        reply = await protos.Hi({"name": "whoever you are"}, channel=channel, timeout=5)
        print(reply.message)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    uvgrpc.run(greet(f"localhost:{sys.argv[1]}", "--certificate" in sys.argv))
