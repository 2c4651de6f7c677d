# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How many unary calls a server answers where both sides run on any core."""

from harness.scenario import METRICS, SERVER_PEERS, Scenario, server_load

SCENARIO = Scenario(
    name="unary_unpinned",
    title="Unary calls: server, not pinned",
    peers=SERVER_PEERS,
    metrics=METRICS,
    measure=server_load("unary", streams=100, pinned=False),
)
