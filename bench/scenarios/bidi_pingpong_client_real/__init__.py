# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How many messages a client exchanges, one by one, in 100 long streams with a real server."""

from harness.real import real_server_load
from harness.scenario import METRICS, OWN_CLIENT_PEERS, OWN_TARGET, Scenario, Target

SCENARIO = Scenario(
    name="bidi_pingpong_client_real",
    title="Bidirectional ping-pong: client, real server",
    peers=OWN_CLIENT_PEERS,
    metrics=METRICS,
    measure=real_server_load("pingpong", concurrency=100),
    targets=(
        OWN_TARGET,
        Target("rate", at_least=1.0, relative_to="grpcpp-cq"),
    ),
    real=True,
)
