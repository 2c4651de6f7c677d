# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How many messages a client exchanges, one by one, in 100 long streams."""

from harness.scenario import ALL_PEERS, CLIENT_METRICS, Scenario, client_load

SCENARIO = Scenario(
    name="bidi_pingpong_client",
    title="Bidirectional ping-pong: client",
    peers=ALL_PEERS,
    metrics=CLIENT_METRICS,
    measure=client_load("pingpong", concurrency=100),
)
