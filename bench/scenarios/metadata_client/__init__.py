# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What metadata costs a client."""

from harness.real import real_server_load
from harness.scenario import METADATA_PEERS, METRICS, Scenario

SCENARIO = Scenario(
    name="metadata_client",
    title="Unary calls with 20 metadata entries each way: client",
    peers=METADATA_PEERS,
    metrics=METRICS,
    measure=real_server_load("metadata", concurrency=100),
    real=True,
)
