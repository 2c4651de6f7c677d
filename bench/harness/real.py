# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Scenarios whose other side is a real implementation of gRPC, not prepared frames."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.peers import Peer
from harness.scenario import Bench, Measurement, Metric, client_measurement, server_values
from harness.tools import Load

Measure = Callable[[Bench, Peer], Measurement]

LATENCY_METRICS = (
    Metric("p50_us", "median µs", 0, ratio=True),
    Metric("p99_us", "99th percentile µs", 0, ratio=True),
    Metric("rate", "per second", 0, ratio=True),
    Metric("cpu_us", "CPU µs each", 1, ratio=True),
    Metric("switches", "context switches each", 2),
    Metric("busy", "busy shares, sum", 2),
)


def real_client_load(load: str, concurrency: int, service: str = "") -> Measure:
    """Measures a server, under the client of the other side."""

    def measure(bench: Bench, peer: Peer) -> Measurement:
        with bench.server(peer, service or _service(load)) as server:
            exchange = bench.client(bench.other_side, server, load, concurrency, bench.load_core)
            done = load_of(exchange.report)
            values = server_values(done, exchange.served) | {"p50_us": done.p50_us, "p99_us": done.p99_us}
            return Measurement(values, server.versions | exchange.report["versions"])

    return measure


def real_server_load(load: str, concurrency: int) -> Measure:
    """Measures a client, against the server of the other side."""

    def measure(bench: Bench, peer: Peer) -> Measurement:
        with bench.server(bench.other_side, _service(load), bench.load_core) as server:
            exchange = bench.client(peer, server, load, concurrency, bench.measured_core)
            return client_measurement(exchange, server.versions)

    return measure


def _service(load: str) -> str:
    return {"latency": "unary", "paced": "unary", "flood": "pingpong"}.get(load, load)


def load_of(report: dict[str, Any]) -> Load:
    """What the client of a real connection reports."""
    return Load(
        max(int(report["count"]), 1),
        report["seconds"],
        report["cpu_seconds"] / report["seconds"],
        report["p50_us"],
        report["p99_us"],
    )
