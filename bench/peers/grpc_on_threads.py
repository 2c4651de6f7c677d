# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Stock synchronous grpc: a pool of threads."""

import signal

import program
import sync_program
from program import Options

PACKAGES = ("grpcio", "protobuf")


def main(options: Options) -> None:
    if options.role == "client":
        sync_program.client(options, PACKAGES)
        return
    # Blocked before grpc starts its threads, so that sigwait gets the signal.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    sync_program.serve(options, PACKAGES, lambda: signal.sigwait({signal.SIGTERM}))


if __name__ == "__main__":
    program.run(main)
