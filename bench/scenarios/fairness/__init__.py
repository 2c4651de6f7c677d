# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How long others wait while one connection floods a server."""

import time

from harness.peers import Peer
from harness.scenario import Bench, Measurement, Metric, Scenario, Target

FLOOD = 5000  # calls under way
SETTLE = 0.5  # seconds until they are


def measure(bench: Bench, peer: Peer) -> Measurement:
    timed = peer.name in TIMED or peer.base
    with bench.server(peer, "fair" if timed else "unary") as server:
        generator = server.canned()
        generator.verify("unary")
        with (
            generator.beside(FLOOD, bench.seconds + 2 * SETTLE) as flood,
            generator.beside(1, bench.seconds + SETTLE, urgent=True) as probe,
        ):
            time.sleep(SETTLE)
            if timed:
                server.child.poke()  # forgets what was before
            answered = probe.line(bench.seconds + 30)
            lag = server.child.poke() if timed else {}
            flooded = flood.line(bench.seconds + 30)
            for load in (probe, flood):
                load.finish(15)
    values = {
        "other_ms": answered["p99_us"] / 1e3,
        "rate": flooded["exchanges"] / flooded["seconds"],
        "refused": flooded["refused"] / (flooded["refused"] + flooded["exchanges"]) * 100,
        **({"lag_ms": lag["p99_us"] / 1e3} if lag else {}),
    }
    return Measurement(values, server.versions)


TIMED = ("uvgrpc", "aio-uvloop", "aio-asyncio")  # those with a loop whose timers can be watched
SCENARIO = Scenario(
    name="fairness",
    title="Others, while one connection has 5,000 calls under way",
    peers=(*TIMED, "threads", "grpcpp", "grpcpp-cq", "grpc-go", "grpc-js"),
    metrics=(
        Metric("other_ms", "another connection's p99 ms", 2, ratio=True),
        Metric("lag_ms", "timer's p99 lag ms", 2, ratio=True),
        Metric("rate", "flood's calls per second", 0, ratio=True),
        Metric("refused", "refused %", 1),
    ),
    measure=measure,
    targets=(Target("other_ms", at_most=5), Target("lag_ms", at_most=5)),
)
