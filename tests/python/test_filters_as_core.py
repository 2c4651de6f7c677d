# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Our filters do with every case of filter_cases what core's do.

A case also asserts what it knows by itself. Each process takes its cases sixteen at a time.
"""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
from typing import Any

import pytest
from filter_cases.__main__ import groups
from support import environment

# Two processes of its own, side by side.
pytestmark = [pytest.mark.uvgrpc_only, pytest.mark.alone]

ORACLE = {"GRPC_TRACE": "cares_resolver,-all"}

# Core hands out a message of a call that its filters have ended, when the end of the call is in
# the same packet (recv_message_filter_bypass_fix is off): it has then nothing to try again.
BYPASSED = {
    "answers/answered_and_retried-100 first",
    "answers/answered_and_retried-103 first",
}


def _start(environ: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "filter_cases"],
        stdout=subprocess.PIPE,
        # Core tells of what the peers do wrong.
        stderr=subprocess.DEVNULL,
        env={**environment(), **environ},
        text=True,
    )


@functools.cache
def results() -> tuple[dict[str, Any], dict[str, Any]]:
    """What came of the cases, with our filters and with core's."""
    processes = [_start({}), _start(ORACLE)]
    told = []
    for process in processes:
        out, _ = process.communicate(timeout=200)
        assert process.returncode == 0
        told.append(dict(json.loads(line) for line in out.splitlines()))
    return told[0], told[1]


def forgotten(ours: Any, core: Any) -> bool:
    """Core's filters forget a call now and then, which only its deadline ends."""
    late = "DEADLINE_EXCEEDED"
    return late in json.dumps(core) and late not in json.dumps(ours)


def is_unfinished(note: Any) -> bool:
    """Whether this is what a handler noted that was cancelled, or has nothing but messages so far."""
    if not isinstance(note, list) or not all(isinstance(entry, str) for entry in note):
        return False
    return "cancelled" in note or all(re.fullmatch(r"\d+:[0-9a-f]{8}", entry) for entry in note)


def settled(result: Any) -> Any:
    """Of a call that fails, what came before, and how far its handler got, is a matter of timing."""
    if isinstance(result, list):
        parts = (settled(part) for part in result if not is_unfinished(part))
        return [part for part in parts if part != []]
    if isinstance(result, dict) and result.get("code", "OK") != "OK":
        return {**result, "messages": None, "initial": None}
    return result


@pytest.mark.parametrize("group", groups())
def test_what_core_does(group: str) -> None:
    ours, core = ({n: r for n, r in told.items() if n.startswith(f"{group}/")} for told in results())
    assert ours.keys() == core.keys()
    assert len(ours) > 50
    for name, result in ours.items():
        assert "trace" not in result, f"{name}: {result['trace']}"
        if name not in BYPASSED and not forgotten(result, core[name]):
            assert settled(result) == settled(core[name]), name


def test_no_message_bypasses_the_filters() -> None:
    ours, _ = results()
    result = ours["answers/answered-stream_stream-503 message trailers"]
    assert (result["code"], result["messages"]) == ("UNAVAILABLE", [])
    # Every attempt fails, so all are made.
    for name in ("100 first", "103 first"):
        assert ours[f"answers/answered_and_retried-{name}"][1] == 3
