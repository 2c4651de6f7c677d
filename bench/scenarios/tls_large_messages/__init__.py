# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What it costs a server to take a large message over TLS and to give it back."""

from harness.large import SIZE_METRICS, TLS_LARGE_SERVER_PEERS, tls_echo_server_load
from harness.scenario import Scenario

SCENARIO = Scenario(
    name="tls_large_messages",
    title="Large messages over TLS, eight at a time: server",
    peers=TLS_LARGE_SERVER_PEERS,
    metrics=SIZE_METRICS,
    measure=tls_echo_server_load(concurrency=8),
    other_side="h2load",
)
