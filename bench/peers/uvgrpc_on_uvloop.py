# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""uvgrpc: gRPC's core on the libuv loop of uvloop."""

import program
import uvloop
from aio_program import Aio

import uvgrpc
from uvgrpc import aio

if __name__ == "__main__":
    peer = Aio(aio, ("uvgrpc", "grpcio", "uvloop", "protobuf"), uvgrpc.loop_stats)
    program.run(lambda options: uvloop.run(peer.main(options)))
