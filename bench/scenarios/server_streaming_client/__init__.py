# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How many messages a client receives in streams of 1,000 small replies."""

from harness.scenario import CLIENT_PEERS, METRICS, Scenario, client_load

SCENARIO = Scenario(
    name="server_streaming_client",
    title="Server streaming: client",
    peers=CLIENT_PEERS,
    metrics=METRICS,
    measure=client_load("streaming", concurrency=10),
)
