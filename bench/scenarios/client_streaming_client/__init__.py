# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How many messages a client writes in streams of 1,000 small requests."""

from harness.real import real_server_load
from harness.scenario import CLIENT_PEERS, METRICS, Scenario

SCENARIO = Scenario(
    name="client_streaming_client",
    title="Client streaming: client",
    peers=CLIENT_PEERS,
    metrics=METRICS,
    measure=real_server_load("upload", concurrency=10),
    real=True,
)
