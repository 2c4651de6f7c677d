# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How many unary calls a client on one core makes, and what a call costs it."""

from harness.peers import Peer
from harness.scenario import (
    ALL_PEERS,
    CLIENT_METRICS,
    Bench,
    Measurement,
    Scenario,
    Target,
    client_measurement,
)


def measure(bench: Bench, peer: Peer) -> Measurement:
    with bench.canned_server("unary") as port:
        return client_measurement(bench.client(peer, port, "unary", concurrency=100))


SCENARIO = Scenario(
    name="unary_client",
    title="Unary calls: client",
    peers=ALL_PEERS,
    metrics=CLIENT_METRICS,
    measure=measure,
    targets=(Target("rate", at_least=3, relative=True),),
)
