# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What metadata costs a server."""

from harness.real import real_client_load
from harness.scenario import METADATA_PEERS, METRICS, Scenario

SCENARIO = Scenario(
    name="metadata",
    title="Unary calls with 20 metadata entries each way: server",
    peers=METADATA_PEERS,
    metrics=METRICS,
    measure=real_client_load("metadata", concurrency=100),
    real=True,
)
