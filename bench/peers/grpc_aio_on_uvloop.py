# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Stock grpc.aio on uvloop: the peer that ratios refer to."""

import program
import uvloop
from aio_program import Aio
from grpc import aio

if __name__ == "__main__":
    peer = Aio(aio, ("grpcio", "uvloop", "protobuf"))
    program.run(lambda options: uvloop.run(peer.main(options)))
