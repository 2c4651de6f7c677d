# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How long `import uvgrpc` takes when grpc.aio is there already."""

from harness.child import ask
from harness.peers import Peer
from harness.scenario import Bench, Measurement, Metric, Scenario, Target

TRIES = 5
PROGRAM = """
import json, time
before = time.perf_counter()
import grpc.aio
between = time.perf_counter()
import uvgrpc, uvgrpc.aio
after = time.perf_counter()
print(json.dumps({"stock_ms": (between - before) * 1e3, "own_ms": (after - between) * 1e3}))
"""


def measure(bench: Bench, peer: Peer) -> Measurement:
    command = [bench.python(peer), "-c", PROGRAM]
    tries = [ask(command, bench.measured_core, 60, bench.environment(peer)) for _ in range(TRIES)]
    return Measurement({key: min(each[key] for each in tries) for key in tries[0]}, {})


SCENARIO = Scenario(
    name="imports",
    title="Importing uvgrpc",
    peers=("uvgrpc",),
    metrics=(Metric("own_ms", "uvgrpc ms", 1), Metric("stock_ms", "grpc.aio before it ms", 1)),
    measure=measure,
    targets=(Target("own_ms", at_most=10),),
    other_side="none",
)
