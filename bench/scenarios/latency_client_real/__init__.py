# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How long one call at a time to a real server takes."""

from harness.real import LATENCY_METRICS, real_server_load
from harness.scenario import CLIENT_PEERS, Scenario, Target

SCENARIO = Scenario(
    name="latency_client_real",
    title="Latency of a unary call, one at a time: client, real server",
    peers=CLIENT_PEERS,
    metrics=LATENCY_METRICS,
    measure=real_server_load("latency", concurrency=1),
    targets=(Target("rate", at_least=0.95, relative_to="grpcpp-cq"),),
    real=True,
)
