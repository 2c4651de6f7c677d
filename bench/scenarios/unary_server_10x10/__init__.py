# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How many unary calls a server on one core answers on ten connections."""

from harness.peers import Peer
from harness.scenario import METRICS, SERVER_PEERS, Bench, Measurement, Scenario, server_values


def measure(bench: Bench, peer: Peer) -> Measurement:
    with bench.server(peer, "unary") as server:
        load = server.under_h2load(streams=10, connections=10)
        return Measurement(server_values(*load), server.versions)


SCENARIO = Scenario(
    name="unary_server_10x10",
    title="Unary calls on 10 connections: server",
    peers=SERVER_PEERS,
    metrics=METRICS,
    measure=measure,
)
