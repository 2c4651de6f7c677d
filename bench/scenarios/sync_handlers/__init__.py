# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How many unary calls a server answers on a pool of 10 threads."""

from harness.scenario import METRICS, Scenario, server_load

SCENARIO = Scenario(
    name="sync_handlers",
    title="Unary calls whose handlers are no coroutines",
    peers=("uvgrpc", "aio-uvloop", "aio-asyncio", "threads"),
    metrics=METRICS,
    measure=server_load("sync", streams=100),
)
