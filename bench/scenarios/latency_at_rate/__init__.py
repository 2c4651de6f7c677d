# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How long calls take that come at a fixed rate, however slow the server is."""

from harness.peers import Peer, peer_named
from harness.scenario import FULL_SERVER_PEERS, Bench, Measurement, Metric, Scenario

RATES = (2000, 20000)
PERCENTILES = {"p50_us": "median µs", "p99_us": "p99 µs", "p999_us": "p99.9 µs"}


def measure(bench: Bench, peer: Peer) -> Measurement:
    tonic = peer_named("tonic")
    values: dict[str, float] = {}
    for rate in RATES:
        with bench.server(peer, "unary") as server:
            exchange = bench.client(tonic, server, "paced", 1, bench.load_core, "--rate", str(rate))
            report, versions = exchange.report, server.versions
            if report["held"]:
                values |= {f"{key} {rate}": report[key] for key in PERCENTILES}
                values[f"cpu_us {rate}"] = exchange.served.cpu_seconds * 1e6 / report["count"]
    return Measurement(values, versions)


def metrics(rate: int) -> tuple[Metric, ...]:
    return (
        *(Metric(f"{key} {rate}", f"{rate:,}/s: {title}", ratio=True) for key, title in PERCENTILES.items()),
        Metric(f"cpu_us {rate}", f"{rate:,}/s: CPU µs each", 1),
    )


SCENARIO = Scenario(
    name="latency_at_rate",
    title="Latency of unary calls at a fixed rate",
    peers=FULL_SERVER_PEERS,
    metrics=tuple(metric for rate in RATES for metric in metrics(rate)),
    measure=measure,
    other_side="tonic's client",
    needs=("tonic",),
)
