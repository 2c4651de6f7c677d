# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How many unary calls over TLS a server on one core answers."""

from harness.scenario import FULL_SERVER_PEERS, METRICS, Scenario, Target, server_load

SCENARIO = Scenario(
    name="tls_unary",
    title="Unary calls over TLS: server",
    peers=FULL_SERVER_PEERS,
    metrics=METRICS,
    measure=server_load("unary", streams=100, tls=True),
    targets=(Target("rate", at_least=1.2, relative_to="grpcpp"),),
)
