# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""A call every half second, where the control plane says: python client.py PORT [SECONDS]."""

from __future__ import annotations

import asyncio
import json
import os
import sys

import uvgrpc

protos = uvgrpc.proto("greeter.proto")


def bootstrap(port: str) -> str:
    servers = [
        {
            "server_uri": f"127.0.0.1:{port}",
            "channel_creds": [{"type": "insecure"}],
            "server_features": ["xds_v3"],
        }
    ]
    return json.dumps({"xds_servers": servers, "node": {"id": "an-example"}})


async def main(pause: float) -> None:
    async with uvgrpc.insecure_channel("xds:///greeter") as channel:
        stub = protos.Greeter(channel)
        while True:
            reply = await stub.Hi({"name": "you"}, timeout=10, wait_for_ready=True)
            print(reply.message, flush=True)
            await asyncio.sleep(pause)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    os.environ["GRPC_XDS_BOOTSTRAP_CONFIG"] = bootstrap(sys.argv[1])
    uvgrpc.run(main(float(sys.argv[2]) if len(sys.argv) > 2 else 0.5))
