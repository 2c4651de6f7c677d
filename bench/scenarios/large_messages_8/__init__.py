# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The same, eight messages at a time."""

from harness.large import LARGE_SERVER_PEERS, SIZE_METRICS, echo_server_load
from harness.scenario import Scenario, Target

SCENARIO = Scenario(
    name="large_messages_8",
    title="Large messages, eight at a time: server",
    peers=LARGE_SERVER_PEERS,
    metrics=SIZE_METRICS,
    measure=echo_server_load(concurrency=8),
    targets=(
        Target("cpu_ms 1 MiB", at_most=1.05, relative_to="capi"),
        Target("rate 1 MiB", at_least=1.0, relative_to="threads"),
    ),
    real=True,
)
