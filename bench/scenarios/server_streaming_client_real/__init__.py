# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How many messages a client receives in streams of 1,000 small replies of a real server."""

from harness.real import real_server_load
from harness.scenario import METRICS, OWN_CLIENT_PEERS, OWN_TARGET, Scenario, Target

SCENARIO = Scenario(
    name="server_streaming_client_real",
    title="Server streaming: client, real server",
    peers=OWN_CLIENT_PEERS,
    metrics=METRICS,
    measure=real_server_load("streaming", concurrency=10),
    targets=(
        OWN_TARGET,
        Target("rate", at_least=0.75, relative_to="grpcpp-cq"),
        Target("rate", at_least=1.8, relative_to="grpc-js"),
    ),
    real=True,
)
