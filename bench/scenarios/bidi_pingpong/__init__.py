# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How many messages a server answers, one by one, in 100 long streams."""

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
    with bench.server(peer, "pingpong") as server:
        return Measurement(server_values(*server.under_canned("pingpong", streams=100)), server.versions)


SCENARIO = Scenario(
    name="bidi_pingpong",
    title="Bidirectional ping-pong: server",
    peers=SERVER_PEERS,
    metrics=METRICS,
    measure=measure,
    targets=(Target("rate", at_least=4, relative_to="aio-uvloop"),),
)
