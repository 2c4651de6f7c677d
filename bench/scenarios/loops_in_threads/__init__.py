# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How many unary calls two loops in threads of one process answer."""

from harness.scenario import AIO_PEERS, METRICS, Scenario, server_load

SCENARIO = Scenario(
    name="loops_in_threads",
    title="Two loops in two threads of one server",
    peers=AIO_PEERS,
    metrics=METRICS,
    measure=server_load("loops", streams=10, connections=20, pinned=False),
)
