# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How often an idle server wakes up."""

import time

from harness.peers import Peer
from harness.scenario import AIO_PEERS, Bench, Measurement, Metric, Scenario, Target
from harness.usage import threads

SECONDS = 10.0
QUICK_SECONDS = 2.0
SETTLE = 1.5


def measure(bench: Bench, peer: Peer) -> Measurement:
    seconds = QUICK_SECONDS if bench.quick else SECONDS
    with bench.server(peer, "unary") as server:
        server.canned().verify("unary")
        with server.canned().hold(1000, SETTLE + seconds + 5) as connection:
            connection.line()  # the calls are done
            time.sleep(SETTLE)
            used = server.idle_usage(seconds)
            values = {
                "wakeups": float(used.wakeups),
                "cpu_ms": used.cpu_seconds * 1e3,
                "threads": float(threads(server.child.pid)),
            }
        return Measurement(values, server.versions)


SCENARIO = Scenario(
    name="idle",
    title="An idle server in 10 s",
    peers=AIO_PEERS,
    metrics=(
        Metric("wakeups", "wake-ups"),
        Metric("cpu_ms", "CPU ms"),
        Metric("threads", "threads"),
    ),
    measure=measure,
    targets=(Target("wakeups", at_most=4), Target("threads", at_most=1)),
    once=True,
)
