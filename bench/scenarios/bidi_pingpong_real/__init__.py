# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How many messages a server answers, one by one, in 100 long streams of a real client."""

from harness.real import real_client_load
from harness.scenario import METRICS, OWN_SERVER_PEERS, OWN_TARGET, Scenario, Target

SCENARIO = Scenario(
    name="bidi_pingpong_real",
    title="Bidirectional ping-pong: server, real client",
    peers=OWN_SERVER_PEERS,
    metrics=METRICS,
    measure=real_client_load("pingpong", concurrency=100),
    targets=(
        OWN_TARGET,
        Target("rate", at_least=1.05, relative_to="grpcpp"),
    ),
    real=True,
)
