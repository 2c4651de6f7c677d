# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How many unary calls a client on one core makes, and what a call costs it."""

from harness.scenario import ALL_PEERS, CLIENT_METRICS, Scenario, Target, client_load

SCENARIO = Scenario(
    name="unary_client",
    title="Unary calls: client",
    peers=ALL_PEERS,
    metrics=CLIENT_METRICS,
    measure=client_load("unary", concurrency=100),
    targets=(Target("rate", at_least=3, relative=True),),
)
