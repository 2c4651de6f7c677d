# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What 100,000 calls leave behind, when some are cancelled and some are late."""

from harness.errors import BenchError
from harness.peers import Peer
from harness.scenario import AIO_PEERS, Bench, Measurement, Metric, Scenario, Target
from harness.usage import resident_bytes

CALLS = 100_000
QUICK_CALLS = 5_000
CONCURRENCY = 50
TIMEOUT = 300.0
KIB = 1024


def measure(bench: Bench, peer: Peer) -> Measurement:
    calls = QUICK_CALLS if bench.quick else CALLS
    with bench.server(peer, "unary") as server:
        with bench.soak_client(peer, server.port, calls, CONCURRENCY) as client:
            client.line(TIMEOUT)  # half of them are done
            half = resident_bytes(server.child.pid)
            report = client.line(TIMEOUT)
            end = resident_bytes(server.child.pid)
            client.finish(30)
        left = server.child.stop()
    expected = {"ok": calls - 2 * (calls // 100), "cancelled": calls // 100, "late": calls // 100}
    outcomes = {name: report[name] for name in expected}
    if outcomes != expected:
        raise BenchError(f"of {calls} calls {outcomes} instead of {expected}")
    values = {
        "rate": report["count"] / report["seconds"],
        "client_growth": (report["end_rss"] - report["half_rss"]) / KIB,
        "server_growth": (end - half) / KIB,
        "calls": report["calls"] + left["calls"],
        "tasks": report["tasks"] + left["tasks"],
    }
    if "handles" in report and "handles" in left:
        values["handles"] = report["handles"] + left["handles"]
    return Measurement({key: float(value) for key, value in values.items()}, server.versions)


SCENARIO = Scenario(
    name="soak",
    title="Soak: 100,000 calls, 1 % cancelled, 1 % past their deadline",
    peers=AIO_PEERS,
    metrics=(
        Metric("rate", "per second"),
        Metric("client_growth", "client's growth KiB"),
        Metric("server_growth", "server's growth KiB"),
        Metric("calls", "calls left"),
        Metric("tasks", "tasks left"),
        Metric("handles", "handles left"),
    ),
    measure=measure,
    targets=(
        Target("client_growth", at_most=1024),
        Target("server_growth", at_most=1024),
        Target("calls", at_most=0),
        Target("tasks", at_most=0),
        Target("handles", at_most=0),
    ),
    once=True,
    other_side="a client of the same peer",
)
