# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The same, eight messages at a time."""

from harness.large import LARGE_CLIENT_PEERS, SIZE_METRICS, echo_client_load
from harness.scenario import Scenario

SCENARIO = Scenario(
    name="large_messages_client_8",
    title="Large messages, eight at a time: client",
    peers=LARGE_CLIENT_PEERS,
    metrics=SIZE_METRICS,
    measure=echo_client_load(concurrency=8),
    real=True,
)
