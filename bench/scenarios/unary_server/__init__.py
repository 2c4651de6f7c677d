# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How many unary calls a server on one core answers."""

from harness.peers import Peer
from harness.scenario import (
    METRICS,
    SERVER_PEERS,
    Bench,
    Measurement,
    Scenario,
    Target,
    server_values,
)


def measure(bench: Bench, peer: Peer) -> Measurement:
    with bench.server(peer, "unary") as server:
        return Measurement(server_values(*server.under_h2load(streams=100)), server.versions)


SCENARIO = Scenario(
    name="unary_server",
    title="Unary calls: server",
    peers=SERVER_PEERS,
    metrics=METRICS,
    measure=measure,
    targets=(Target("rate", at_least=10, relative=True),),
)
