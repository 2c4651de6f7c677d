# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How many messages a client exchanges, one by one, in 100 long streams."""

from harness.peers import Peer
from harness.scenario import (
    ALL_PEERS,
    CLIENT_METRICS,
    Bench,
    Measurement,
    Scenario,
    client_measurement,
)


def measure(bench: Bench, peer: Peer) -> Measurement:
    with bench.canned_server("pingpong") as port:
        return client_measurement(bench.client(peer, port, "pingpong", concurrency=100))


SCENARIO = Scenario(
    name="bidi_pingpong_client",
    title="Bidirectional ping-pong: client",
    peers=ALL_PEERS,
    metrics=CLIENT_METRICS,
    measure=measure,
)
