# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What connections cost a server that nothing happens on."""

import resource
import time

from harness.peers import Peer
from harness.scenario import Bench, Measurement, Metric, Scenario, Target
from harness.usage import resident_bytes

CONNECTIONS = 10_000
QUICK_CONNECTIONS = 500
OTHER_DESCRIPTORS = 200
OPENING = 120.0
SETTLE = 1.5
SECONDS = 5.0
QUICK_SECONDS = 1.0
KIB = 1024


def measure(bench: Bench, peer: Peer) -> Measurement:
    wanted, seconds = (QUICK_CONNECTIONS, QUICK_SECONDS) if bench.quick else (CONNECTIONS, SECONDS)
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    connections = min(wanted, limit - OTHER_DESCRIPTORS)
    with bench.server(peer, "unary") as server:
        server.h2load(streams=100).measure(1000, 60)
        before = resident_bytes(server.child.pid)
        with server.canned().hold_many(connections, SETTLE + seconds + 5) as client:
            client.line(OPENING)  # all calls are done
            time.sleep(SETTLE)
            grown = resident_bytes(server.child.pid) - before
            used = server.idle_usage(seconds)
    values = {
        "kib": grown / KIB / connections,
        "wakeups": float(used.wakeups),
        "switches": float(used.switches),
        "cpu_ms": used.cpu_seconds * 1e3,
        "connections": float(connections),
    }
    return Measurement(values, server.versions)


SCENARIO = Scenario(
    name="idle_connections",
    title="Idle connections",
    peers=("uvgrpc", "aio-uvloop", "threads", "floor", "capi", "grpcpp", "tonic", "grpc-go"),
    metrics=(
        Metric("kib", "KiB each", 1, ratio=True),
        Metric("wakeups", "wake-ups"),
        Metric("switches", "context switches"),
        Metric("cpu_ms", "CPU ms"),
        Metric("connections", "connections"),
    ),
    measure=measure,
    targets=(Target("kib", at_most=14), Target("wakeups", at_most=4)),
    once=True,
)
