# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""grpclib on asyncio's own loop."""

import asyncio

import grpclib_program
import program

if __name__ == "__main__":
    program.run(lambda options: asyncio.run(grpclib_program.main(options)))
