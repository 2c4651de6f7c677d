# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How many TLS handshakes a server on one core makes."""

from harness.peers import Peer
from harness.scenario import FULL_SERVER_PEERS, METRICS, Bench, Measurement, Scenario, server_values


def measure(bench: Bench, peer: Peer) -> Measurement:
    with bench.server(peer, "unary", tls=True) as server:
        load, used = server.under_canned("connections", streams=8)
        return Measurement(server_values(load, used), server.versions)


SCENARIO = Scenario(
    name="tls_handshakes",
    title="TLS handshakes",
    peers=FULL_SERVER_PEERS,
    metrics=METRICS,
    measure=measure,
)
