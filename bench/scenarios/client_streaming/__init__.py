# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How many messages a server reads in streams of 1,000 small requests."""

from harness.real import real_client_load
from harness.scenario import FULL_SERVER_PEERS, METRICS, Scenario

SCENARIO = Scenario(
    name="client_streaming",
    title="Client streaming: server",
    peers=FULL_SERVER_PEERS,
    metrics=METRICS,
    measure=real_client_load("upload", concurrency=10),
    real=True,
)
