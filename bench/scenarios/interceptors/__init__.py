# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What an interceptor costs a server."""

from harness.real import real_client_load
from harness.scenario import INTERCEPTING_PEERS, METRICS, Scenario

SCENARIO = Scenario(
    name="interceptors",
    title="Unary calls through an interceptor: server",
    peers=INTERCEPTING_PEERS,
    metrics=METRICS,
    measure=real_client_load("unary", concurrency=100, service="intercepted"),
    real=True,
)
