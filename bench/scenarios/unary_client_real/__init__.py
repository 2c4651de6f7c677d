# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How many unary calls a client on one core makes to a real server."""

from harness.real import real_server_load
from harness.scenario import METRICS, OWN_CLIENT_PEERS, OWN_TARGET, Scenario, Target

SCENARIO = Scenario(
    name="unary_client_real",
    title="Unary calls: client, real server",
    peers=OWN_CLIENT_PEERS,
    metrics=METRICS,
    measure=real_server_load("unary", concurrency=100),
    targets=(
        OWN_TARGET,
        Target("rate", at_least=0.9, relative_to="grpcpp-cq"),
        Target("rate", at_least=4, relative_to="aio-uvloop"),
    ),
    real=True,
)
