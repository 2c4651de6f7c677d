# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Calls on connections of their own, and who answered: python client.py PORT [CONNECTIONS [SECONDS]]."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from contextlib import AsyncExitStack

import uvgrpc

protos = uvgrpc.proto("greeter.proto")
# Without it channels to one address share their connections.
OPTIONS = [("grpc.use_local_subchannel_pool", 1)]


async def main(port: str, connections: int, seconds: float) -> None:
    async with AsyncExitStack() as stack:
        channels = [
            await stack.enter_async_context(uvgrpc.insecure_channel(f"127.0.0.1:{port}", options=OPTIONS))
            for _ in range(connections)
        ]
        await asyncio.gather(*(channel.channel_ready() for channel in channels))
        print(f"{connections} connections", flush=True)
        request = protos.HelloRequest(name="you", seconds=seconds)
        replies = await asyncio.gather(*(protos.Greeter(channel).Hi(request) for channel in channels))
    for process, count in sorted(Counter(reply.process for reply in replies).items()):
        print(f"process {process} answered {count}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    port, connections, seconds = (sys.argv[1:] + ["1", "0"][len(sys.argv) - 2 :])[:3]
    uvgrpc.run(main(port, int(connections), float(seconds)))
