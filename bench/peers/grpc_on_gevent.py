# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Stock synchronous grpc on gevent's greenlets."""

# ruff: noqa: E402  (gevent patches before anything else is imported)
from gevent import monkey

monkey.patch_all()

import signal

import gevent
import gevent.event
import grpc.experimental.gevent

grpc.experimental.gevent.init_gevent()

import program
import sync_program
from program import Options

PACKAGES = ("grpcio", "gevent", "protobuf")


def main(options: Options) -> None:
    if options.role == "client":
        sync_program.client(options, PACKAGES)
        return
    stop = gevent.event.Event()
    gevent.signal_handler(signal.SIGTERM, stop.set)
    sync_program.serve(options, PACKAGES, stop.wait)


if __name__ == "__main__":
    program.run(main)
