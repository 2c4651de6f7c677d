# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How many messages a client receives in streams of 1,000 small replies."""

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
    with bench.canned_server("streaming") as port:
        return client_measurement(bench.client(peer, port, "streaming", concurrency=10))


SCENARIO = Scenario(
    name="server_streaming_client",
    title="Server streaming: client",
    peers=ALL_PEERS,
    metrics=CLIENT_METRICS,
    measure=measure,
)
