# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What an interceptor costs a client."""

from harness.real import real_server_load
from harness.scenario import INTERCEPTING_PEERS, METRICS, Scenario

SCENARIO = Scenario(
    name="interceptors_client",
    title="Unary calls through an interceptor: client",
    peers=INTERCEPTING_PEERS,
    metrics=METRICS,
    measure=real_server_load("intercepted", concurrency=100),
    real=True,
)
