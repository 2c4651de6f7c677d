# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How many messages a server sends in streams of 1,000 small replies."""

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

REPLIES = 1000  # to one request: bench.proto


def measure(bench: Bench, peer: Peer) -> Measurement:
    with bench.server(peer, "streaming") as server:
        load, used = server.under_h2load(streams=10, replies=REPLIES)
        return Measurement(server_values(load, used, REPLIES), server.versions)


SCENARIO = Scenario(
    name="server_streaming",
    title="Server streaming: server",
    peers=SERVER_PEERS,
    metrics=METRICS,
    measure=measure,
    targets=(Target("rate", at_least=2.5, relative_to="aio-uvloop"),),
)
