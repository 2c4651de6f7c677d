# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How many unary calls a client on one core makes, and what a call costs it."""

from harness.scenario import CLIENT_PEERS, METRICS, Scenario, Target, client_load

SCENARIO = Scenario(
    name="unary_client",
    title="Unary calls: client",
    peers=CLIENT_PEERS,
    metrics=METRICS,
    measure=client_load("unary", concurrency=100),
    targets=(Target("rate", at_least=3, relative_to="aio-uvloop"),),
)
