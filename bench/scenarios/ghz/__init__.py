# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The workload of ghz that others have published numbers of."""

from harness.ghz import Ghz
from harness.peers import Peer
from harness.scenario import FULL_SERVER_PEERS, Bench, Measurement, Metric, Scenario
from harness.tools import build_ghz

CALLS = 10_000
QUICK_CALLS = 500


def measure(bench: Bench, peer: Peer) -> Measurement:
    calls = QUICK_CALLS if bench.quick else CALLS
    with bench.server(peer, "sleeping") as server:
        ghz = Ghz(build_ghz(), bench.load_core, server.port)
        ghz.run(QUICK_CALLS)  # a warm-up
        before = server.used()
        report = ghz.run(calls)
        used = server.used() - before
    cpu = {
        "cpu_us": used.cpu_seconds * 1e6 / calls,
        "own_cpu": used.cpu_seconds / report["seconds"] * 100,
    }
    return Measurement(report | cpu, server.versions)


SCENARIO = Scenario(
    name="ghz",
    title="ghz -c 100 -n 10000, each call sleeps 10 ms",
    peers=(*FULL_SERVER_PEERS, "grpclib-asyncio"),
    metrics=(
        Metric("rate", "per second", 0, ratio=True),
        Metric("mean_ms", "mean ms", 1),
        Metric("p50_ms", "median ms", 1),
        Metric("p99_ms", "p99 ms", 1),
        Metric("cpu_us", "CPU µs each", 1, ratio=True),
        Metric("own_cpu", "own CPU %", 0),
    ),
    measure=measure,
    other_side="ghz, whose client is grpc-go",
)
