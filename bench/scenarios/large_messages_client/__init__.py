# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What it costs a client to send a large message and to get it back."""

from harness.large import LARGE_CLIENT_PEERS, SIZE_METRICS, echo_client_load
from harness.scenario import Scenario

SCENARIO = Scenario(
    name="large_messages_client",
    title="Large messages, one at a time: client",
    peers=LARGE_CLIENT_PEERS,
    metrics=SIZE_METRICS,
    measure=echo_client_load(concurrency=1),
    real=True,
)
