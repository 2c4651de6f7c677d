# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How many messages a client exchanges, one by one, in 100 long streams with a real server."""

from harness.real import real_server_load
from harness.scenario import CLIENT_PEERS, METRICS, Scenario, Target

SCENARIO = Scenario(
    name="bidi_pingpong_client_real",
    title="Bidirectional ping-pong: client, real server",
    peers=CLIENT_PEERS,
    metrics=METRICS,
    measure=real_server_load("pingpong", concurrency=100),
    targets=(Target("rate", at_least=1.0, relative_to="grpcpp-cq"),),
    real=True,
)
