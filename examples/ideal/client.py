# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The Greeter's client, without generated files: python client.py PORT [NAME ...]."""

from __future__ import annotations

import sys

import uvgrpc

protos = uvgrpc.proto("helloworld.proto")


async def greet(target: str, names: list[str]) -> None:
    response = await protos.Hi(target, protos.HelloRequest(name=names[0]), timeout=5)
    print(response.message)

    # On the same channel: there is one for each target, closed when it is idle and with the loop.
    call = await protos.StreamingHi(target, timeout=5)
    for name in names:
        await call.send(protos.HelloRequest(name=name))
        response = await call.receive()
        print(response.message)
    await call.done_sending()
    async for response in call:
        print(response.message)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    uvgrpc.run(greet(f"localhost:{sys.argv[1]}", sys.argv[2:] or ["you"]))
