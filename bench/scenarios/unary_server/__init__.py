# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How many unary calls a server on one core answers."""

from harness.scenario import METRICS, OWN_SERVER_PEERS, OWN_TARGET, Scenario, Target, server_load

SCENARIO = Scenario(
    name="unary_server",
    title="Unary calls: server",
    peers=OWN_SERVER_PEERS,
    metrics=METRICS,
    measure=server_load("unary", streams=100),
    targets=(
        OWN_TARGET,
        Target("rate", at_least=10, relative_to="aio-uvloop"),
        Target("rate", at_least=1.0, relative_to="grpc-go"),
        Target("rate", at_least=1.2, relative_to="grpcpp"),
        Target("cpu_us", at_most=1.45, relative_to="floor"),
    ),
)
