# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How many messages a server answers whose client does not wait for each reply."""

from harness.real import real_client_load
from harness.scenario import FULL_SERVER_PEERS, METRICS, Scenario, Target

SCENARIO = Scenario(
    name="bidi_flood",
    title="Bidirectional flood: server",
    peers=FULL_SERVER_PEERS,
    metrics=METRICS,
    measure=real_client_load("flood", concurrency=10),
    targets=(Target("rate", at_least=1.6, relative_to="grpcpp"),),
    real=True,
)
