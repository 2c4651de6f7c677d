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
import uvgrpc
own = time.perf_counter()
import uvgrpc.aio
aio = time.perf_counter()
uvgrpc.server, uvgrpc.insecure_channel
api = time.perf_counter()
print(json.dumps({
    "stock_ms": (between - before) * 1e3,
    "own_ms": (own - between) * 1e3,
    "aio_ms": (aio - own) * 1e3,
    "api_ms": (api - aio) * 1e3,
}))
"""


def measure(bench: Bench, peer: Peer) -> Measurement:
    command = [bench.python(peer), "-c", PROGRAM]
    tries = [ask(command, bench.measured_core, 60, bench.environment(peer)) for _ in range(TRIES)]
    return Measurement({key: min(each[key] for each in tries) for key in tries[0]}, {})


SCENARIO = Scenario(
    name="imports",
    title="Importing uvgrpc",
    peers=("uvgrpc",),
    metrics=(
        Metric("own_ms", "import uvgrpc ms", 1),
        Metric("aio_ms", "uvgrpc.aio after it ms", 1),
        Metric("api_ms", "uvgrpc.server after that ms", 1),
        Metric("stock_ms", "grpc.aio before all ms", 1),
    ),
    measure=measure,
    targets=(Target("own_ms", at_most=10),),
    other_side="none",
)
