# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How many unary calls a server on one core answers when each connection makes one at a time."""

from harness.peers import Peer
from harness.scenario import METRICS, SERVER_PEERS, Bench, Measurement, Scenario, Target, server_values


def measure(bench: Bench, peer: Peer) -> Measurement:
    with bench.server(peer, "unary") as server:
        return Measurement(server_values(*server.under_many_connections(1000)), server.versions)


SCENARIO = Scenario(
    name="unary_server_1000x1",
    title="Unary calls on 1,000 connections: server",
    peers=SERVER_PEERS,
    metrics=METRICS,
    measure=measure,
    targets=(
        Target("rate", at_least=0.9, relative_to="grpcpp"),
        Target("rate", at_least=1.1, relative_to="grpc-go"),
    ),
)
