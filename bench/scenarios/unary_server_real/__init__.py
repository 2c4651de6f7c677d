# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How many unary calls of a real client a server on one core answers."""

from harness.real import real_client_load
from harness.scenario import METRICS, SERVER_PEERS, Scenario

SCENARIO = Scenario(
    name="unary_server_real",
    title="Unary calls: server, real client",
    peers=SERVER_PEERS,
    metrics=METRICS,
    measure=real_client_load("unary", concurrency=100),
    real=True,
)
