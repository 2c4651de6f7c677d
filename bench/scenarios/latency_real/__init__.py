# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How long one call at a time of a real client takes."""

from harness.real import LATENCY_METRICS, real_client_load
from harness.scenario import SERVER_PEERS, Scenario, Target

SCENARIO = Scenario(
    name="latency_real",
    title="Latency of a unary call, one at a time: server, real client",
    peers=SERVER_PEERS,
    metrics=LATENCY_METRICS,
    measure=real_client_load("latency", concurrency=1),
    targets=(
        Target("p50_us", at_most=1.05, relative_to="grpcpp"),
        Target("p99_us", at_most=1.2, relative_to="grpcpp"),
    ),
    real=True,
)
