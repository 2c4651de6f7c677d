# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How many messages a client receives in streams of 1,000 small replies of a real server."""

from harness.real import real_server_load
from harness.scenario import CLIENT_PEERS, METRICS, Scenario, Target

SCENARIO = Scenario(
    name="server_streaming_client_real",
    title="Server streaming: client, real server",
    peers=CLIENT_PEERS,
    metrics=METRICS,
    measure=real_server_load("streaming", concurrency=10),
    targets=(
        Target("rate", at_least=0.75, relative_to="grpcpp-cq"),
        Target("rate", at_least=1.8, relative_to="grpc-js"),
    ),
    real=True,
)
