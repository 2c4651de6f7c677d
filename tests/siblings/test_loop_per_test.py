# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""pytest-asyncio and anyio: a thousand tests, each with a loop, a server and a channel."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from support import STOCK, environment

TESTS = 1000

# What a thousand rounds may take and keep; pytest itself keeps some 2 MiB of reports.
# A loop that stayed would cost some 270 KiB.
_MAX_SECONDS = 60.0
_MAX_GROWTH = 6 * 1024 * 1024


@dataclass(frozen=True)
class Plugin:
    """How a project uses one of the two."""

    mark: str
    fixture: str
    conftest: str
    settings: str = ""


_PLUGINS = {
    "pytest-asyncio": Plugin(
        mark="asyncio",
        fixture="pytest_asyncio.fixture",
        conftest="""
import uvloop

def pytest_asyncio_loop_factories(config, item):
    return {"uvloop": uvloop.new_event_loop}
""",
        settings="asyncio_default_fixture_loop_scope = function",
    ),
    "anyio": Plugin(
        mark="anyio",
        fixture="pytest.fixture",
        conftest="""
import pytest

@pytest.fixture
def anyio_backend():
    return "asyncio", {"use_uvloop": True}
""",
    ),
}

_MODULE = """
import asyncio, gc, json, weakref
import pytest, pytest_asyncio
from library import *
from support import open_files, resident_bytes, thread_count

install()
loops = weakref.WeakSet()
measures = []

@pytest.fixture(scope="module", autouse=True)
def measured():
    yield
    gc.collect()
    print(json.dumps({{"measures": measures, "loops": len(loops)}}))

@{fixture}
async def stub():
    async with calling() as channel:
        yield stub_on(channel)

@pytest.mark.{mark}
@pytest.mark.parametrize("number", range({tests}))
async def test_round(stub, number):
    loop = asyncio.get_running_loop()
    assert loop not in loops
    loops.add(loop)
    assert await every_arity(stub) == EVERY_ARITY
    if number % 100 == 99:
        gc.collect()
        measures.append((resident_bytes(), open_files(), thread_count()))
"""


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize(
    "name",
    [
        "pytest-asyncio",
        pytest.param("anyio", marks=pytest.mark.stock_defect("every loop stays, with some 270 KiB")),
    ],
)
def test_a_thousand_tests_with_a_fresh_loop_each(
    name: str, tmp_path: Path, child_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin = _PLUGINS[name]
    (tmp_path / "conftest.py").write_text(plugin.conftest)
    (tmp_path / "test_rounds.py").write_text(
        _MODULE.format(mark=plugin.mark, fixture=plugin.fixture, tests=TESTS)
    )
    (tmp_path / "pytest.ini").write_text(f"[pytest]\nfilterwarnings = error\n{plugin.settings}\n")
    monkeypatch.setenv("PYTHONPATH", child_path)
    others = [f"-pno:{other.mark}" for other in _PLUGINS.values() if other is not plugin]
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-s", "-pno:cacheprovider", *others, "test_rounds.py"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    elapsed = time.monotonic() - started
    # grpc.aio prints a line now and then, when a connection is broken off.
    assert (done.returncode, done.stderr * (not STOCK)) == (0, ""), done.stdout[-4000:]
    assert f"{TESTS} passed" in done.stdout
    report, _ = json.JSONDecoder().raw_decode(done.stdout, done.stdout.index('{"measures"'))
    assert len(report["measures"]) == TESTS // 100
    assert elapsed < _MAX_SECONDS
    warm, last = report["measures"][1], report["measures"][-1]
    assert last[0] - warm[0] < _MAX_GROWTH
    # No descriptor and no thread for a loop that is gone.
    assert last[1:] == warm[1:]
    assert report["loops"] <= 1
