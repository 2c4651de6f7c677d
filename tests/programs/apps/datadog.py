# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""RPCs under ddtrace: datadog.py CALLS. The agent is where DD_TRACE_AGENT_URL says."""

import backend  # isort: skip

import sys
import time

import ddtrace
import uvloop

ddtrace.patch(grpc=True)

from greeting import greet  # noqa: E402


async def main() -> None:
    before = time.process_time()
    server, channel = await greet(int(sys.argv[1]))
    ddtrace.tracer.flush()
    backend.emit(backend.report(server, channel, since=before))


uvloop.run(main())
ddtrace.tracer.shutdown()
