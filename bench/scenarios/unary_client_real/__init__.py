# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How many unary calls a client on one core makes to a real server."""

from harness.real import real_server_load
from harness.scenario import CLIENT_PEERS, METRICS, Scenario

SCENARIO = Scenario(
    name="unary_client_real",
    title="Unary calls: client, real server",
    peers=CLIENT_PEERS,
    metrics=METRICS,
    measure=real_server_load("unary", concurrency=100),
    real=True,
)
