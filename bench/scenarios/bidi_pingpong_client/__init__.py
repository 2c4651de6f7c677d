# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How many messages a client exchanges, one by one, in 100 long streams."""

from harness.scenario import CLIENT_PEERS, METRICS, Scenario, client_load

SCENARIO = Scenario(
    name="bidi_pingpong_client",
    title="Bidirectional ping-pong: client",
    peers=CLIENT_PEERS,
    metrics=METRICS,
    measure=client_load("pingpong", concurrency=100),
)
