# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How long one call at a time takes."""

from harness.peers import Peer
from harness.scenario import SERVER_PEERS, Bench, Measurement, Metric, Scenario, server_values


def measure(bench: Bench, peer: Peer) -> Measurement:
    with bench.server(peer, "unary") as server:
        load, used = server.under_canned("unary", streams=1)
        values = {**server_values(load, used), "p50_us": load.p50_us, "p99_us": load.p99_us}
        return Measurement(values, server.versions)


SCENARIO = Scenario(
    name="latency",
    title="Latency of a unary call, one at a time",
    peers=SERVER_PEERS,
    metrics=(
        Metric("p50_us", "median µs", 0, ratio=True),
        Metric("p99_us", "99th percentile µs", 0, ratio=True),
        Metric("cpu_us", "server's CPU µs each", 1),
        Metric("switches", "context switches each", 2),
    ),
    measure=measure,
)
