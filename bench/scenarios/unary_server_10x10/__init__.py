# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How many unary calls a server on one core answers on ten connections."""

from harness.scenario import METRICS, SERVER_PEERS, Scenario, Target, server_load

SCENARIO = Scenario(
    name="unary_server_10x10",
    title="Unary calls on 10 connections: server",
    peers=SERVER_PEERS,
    metrics=METRICS,
    measure=server_load("unary", streams=10, connections=10),
    targets=(
        Target("rate", at_least=0.95, relative_to="grpc-go"),
        Target("rate", at_least=1.1, relative_to="grpcpp"),
    ),
)
