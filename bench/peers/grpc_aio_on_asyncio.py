# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Stock grpc.aio on asyncio's own loop."""

import asyncio

import program
from aio_program import Aio
from grpc import aio

if __name__ == "__main__":
    peer = Aio(aio, ("grpcio", "protobuf"))
    program.run(lambda options: asyncio.run(peer.main(options)))
