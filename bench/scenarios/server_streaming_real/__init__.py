# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How many messages a server sends in streams of 1,000 small replies to a real client."""

from harness.real import real_client_load
from harness.scenario import METRICS, OWN_SERVER_PEERS, OWN_TARGET, Scenario, Target

SCENARIO = Scenario(
    name="server_streaming_real",
    title="Server streaming: server, real client",
    peers=OWN_SERVER_PEERS,
    metrics=METRICS,
    measure=real_client_load("streaming", concurrency=10),
    targets=(
        OWN_TARGET,
        Target("rate", at_least=3, relative_to="grpcpp"),
        Target("rate", at_least=2.5, relative_to="grpc-js"),
    ),
    real=True,
)
