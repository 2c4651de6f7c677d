# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""grpcio-observability: its plugin is not used by uvgrpc's core, and that is said once.

The package itself demands another grpcio, to the last digit, than the one that is
pinned; a plugin that is made of the same base class stands for it.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from library import EVERY_ARITY
from support import Outcome

pytestmark = pytest.mark.uvgrpc_only

Program = Callable[[str], Outcome]

_PLUGIN = """
import warnings
from grpc import _observability

class Plugin(_observability.ObservabilityPlugin):
    asked = 0

    def create_client_call_tracer(self, method_name, target):
        # What a real one returns points into grpcio's core.
        self.asked += 1

    def create_server_call_tracer_factory(self, *, xds=False):
        self.asked += 1

    def save_trace_context(self, trace_id, span_id, is_sampled):
        self.asked += 1

    def record_rpc_latency(self, method, target, rpc_latency, status_code):
        self.asked += 1

plugin = Plugin()
plugin.set_stats(True)
plugin.set_tracing(True)

async def main():
    async with calling() as channel:
        return await every_arity(stub_on(channel))

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for step in {steps}:
        step()
    results = uvloop.run(main())

_observability.set_plugin(None)
uvgrpc.uninstall()
print(json.dumps([results, plugin.asked, [[w.category.__name__, str(w.message)] for w in caught]]))
"""


@pytest.mark.parametrize(
    "steps",
    [
        "install, install, lambda: _observability.observability_init(plugin)",
        "lambda: _observability.observability_init(plugin), install, install",
    ],
    ids=["before", "after"],
)
def test_a_plugin_is_left_alone_with_one_warning(program: Program, steps: str) -> None:
    results, asked, warned = program(_PLUGIN.replace("{steps}", f"({steps})")).result
    assert results == EVERY_ARITY
    assert asked == 0
    ((category, message),) = warned
    assert category == "RuntimeWarning"
    assert message.startswith("grpcio-observability's plugin cannot observe uvgrpc's core")
