# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""grpclib on uvloop."""

import grpclib_program
import program
import uvloop

if __name__ == "__main__":
    program.run(lambda options: uvloop.run(grpclib_program.main(options)))
