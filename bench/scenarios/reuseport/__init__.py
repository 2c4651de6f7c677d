# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How many unary calls two processes answer that share a port."""

from harness.scenario import METRICS, Scenario, server_load

SCENARIO = Scenario(
    name="reuseport",
    title="Two server processes on one port",
    peers=("uvgrpc", "aio-uvloop", "aio-asyncio", "threads", "grpclib"),
    metrics=METRICS,
    measure=server_load("unary", streams=10, connections=20, pinned=False, processes=2),
)
