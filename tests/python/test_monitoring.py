# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Tools that stand on sys.monitoring (coverage, debuggers, profilers) see handlers as they are."""

from __future__ import annotations

import asyncio
import sys
from types import CodeType
from typing import Any

import pytest
from support import aio, run, service, serving, unary

pytestmark = [
    pytest.mark.uvgrpc_only,
    pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is new in 3.12"),
]


def test_every_step_of_a_handler_is_seen() -> None:
    """That of a task that begins in a delivery, and those that a delivery resumes."""

    async def handler(request: bytes, _context: Any) -> bytes:
        await asyncio.sleep(0)
        return request

    code = handler.__code__
    seen: list[str] = []
    monitoring: Any = sys.__dict__["monitoring"]
    tool = monitoring.PROFILER_ID
    events = monitoring.events

    def note(name: str) -> Any:
        def callback(which: CodeType, *_: Any) -> None:
            if which is code:
                seen.append(name)

        return callback

    async def main() -> None:
        async with (
            serving(service(Echo=unary(handler))) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            call = channel.unary_unary("/test.Service/Echo")
            for _ in range(2):
                assert await call(b"x") == b"x"

    monitoring.use_tool_id(tool, "test_monitoring")
    try:
        for name in ("PY_START", "PY_YIELD", "PY_RESUME", "PY_RETURN"):
            monitoring.register_callback(tool, getattr(events, name), note(name))
        monitoring.set_events(tool, events.PY_START | events.PY_YIELD | events.PY_RESUME | events.PY_RETURN)
        run(main())
    finally:
        monitoring.set_events(tool, 0)
        monitoring.free_tool_id(tool)
    assert seen == ["PY_START", "PY_YIELD", "PY_RESUME", "PY_RETURN"] * 2
