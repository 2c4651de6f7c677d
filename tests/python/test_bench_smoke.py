# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""A quick run of the benchmark: it works, and what does not depend on speed is as promised."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"
TOOLS = ("h2load", "strace", "go")


def _missing() -> list[str]:
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if "go" not in missing:
        # Debian's Go is enough for the interoperability tests, but not for this.
        module = BENCH / "peers" / "canned" / "go.mod"
        wanted = re.search(r"^go 1\.(\d+)", module.read_text(), re.MULTILINE)
        found = re.search(r"go1\.(\d+)", subprocess.check_output(["go", "version"], text=True))
        assert wanted is not None
        if found is None or int(found[1]) < int(wanted[1]):
            missing.append(f"go 1.{wanted[1]}")
    return missing


MISSING = _missing()
# Cargo is in no Debian release as new as tonic needs it; the peer in Go does the same.
OTHER_SIDE = "tonic" if shutil.which("cargo") else "grpc-go"

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(bool(MISSING), reason=f"the benchmark needs {', '.join(MISSING)}"),
]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("bench") / "results.json"
    command = [sys.executable, str(BENCH / "run.py"), "--quick", "--json", str(file)]
    command += ["--other-side", OTHER_SIDE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800)  # builds peers
    assert done.returncode == 0, done.stdout + done.stderr
    return file


@pytest.fixture
def scenarios(results: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(results.read_text())["scenarios"]
    return loaded


@pytest.mark.parametrize("peer", ["uvgrpc", "aio-uvloop"])
@pytest.mark.parametrize(
    "scenario", ["unary_server", "unary_server_10x10", "unary_server_1000x1", "unary_client", "latency"]
)
def test_unary_scenarios_measure_both(scenarios: dict[str, Any], scenario: str, peer: str) -> None:
    result = scenarios[scenario][peer]
    assert result["status"] == "measured", result["reason"]
    (values,) = result["rounds"]
    assert values["cpu_us"] > 0


@pytest.mark.parametrize("peer", ["uvgrpc", "aio-uvloop"])
@pytest.mark.parametrize("side", ["", "_client"])
@pytest.mark.parametrize("kind", ["unary", "server_streaming", "bidi_pingpong", "latency"])
def test_real_connections_are_measured(scenarios: dict[str, Any], kind: str, side: str, peer: str) -> None:
    name = "unary_server_real" if (kind, side) == ("unary", "") else f"{kind}{side}_real"
    result = scenarios[name][peer]
    if result["status"] == "not here":
        pytest.skip(result["reason"])
    assert result["status"] == "measured", result["reason"]
    (values,) = result["rounds"]
    assert values["p50_us" if kind == "latency" else "rate"] > 0
    assert 0 <= values["other_cpu"] / 100 <= values["busy"]


@pytest.mark.parametrize("peer", ["uvgrpc", "aio-uvloop"])
@pytest.mark.parametrize("name", ["", "_8", "_client", "_client_8"])
def test_large_messages_come_back(scenarios: dict[str, Any], name: str, peer: str) -> None:
    result = scenarios[f"large_messages{name}"][peer]
    assert result["status"] == "measured", result["reason"]
    (values,) = result["rounds"]
    assert values["cpu_ms 1 MiB"] > 0


def test_idle_connections_cost_memory_only(scenarios: dict[str, Any]) -> None:
    (values,) = scenarios["idle_connections"]["uvgrpc"]["rounds"]
    assert 0 < values["kib"] <= 20
    assert values["wakeups"] <= 1  # in a second


@pytest.mark.skipif(shutil.which("cmake") is None, reason="needs cmake")
def test_floor_serves_every_load(tmp_path: Path) -> None:
    names = ["unary_server", "server_streaming", "bidi_pingpong", "large_messages"]
    command = [sys.executable, str(BENCH / "run.py"), "--quick", *names, "--json", str(tmp_path / "results")]
    command += ["--peers", "floor", "--other-side", OTHER_SIDE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    outcomes = json.loads((tmp_path / "results").read_text())["scenarios"]
    if outcomes[names[0]]["floor"]["status"] == "not here":  # the core's sources are not
        pytest.skip(outcomes[names[0]]["floor"]["reason"])
    assert {name: outcomes[name]["floor"]["status"] for name in names} == dict.fromkeys(names, "measured")


@pytest.mark.parametrize("peer", ["uvgrpc", "aio-uvloop"])
@pytest.mark.parametrize(
    "scenario",
    [
        *("client_streaming", "client_streaming_client", "bidi_flood", "metadata", "metadata_client"),
        *("interceptors", "interceptors_client", "starlette", "latency_at_rate"),
        *("unary_unpinned", "tls_unary", "tls_handshakes", "sync_handlers", "fairness", "ghz"),
        *("loops_in_threads", "reuseport"),
    ],
)
def test_further_scenarios_measure_both(scenarios: dict[str, Any], scenario: str, peer: str) -> None:
    result = scenarios[scenario][peer]
    if result["status"] == "not here":
        pytest.skip(result["reason"])
    assert result["status"] == "measured", result["reason"]
    (values,) = result["rounds"]
    assert all(value >= 0 for value in values.values())
    if scenario != "latency_at_rate":  # a rate that is not held has no numbers
        assert values["rate"] > 0


def test_a_ratio_that_fell_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCH))
    fallen = importlib.import_module("harness.ratios").fallen
    before = {"unary_server": {"rate": {"aio-uvloop": 10.0}, "cpu_us": {"aio-uvloop": 0.10}}}
    assert fallen(before, before) == []
    now = {"unary_server": {"rate": {"aio-uvloop": 8.6}, "cpu_us": {"aio-uvloop": 0.11}}}
    assert fallen(now, before) == []
    now = {"unary_server": {"rate": {"aio-uvloop": 8.4, "tonic": 0.1}, "cpu_us": {"aio-uvloop": 0.12}}}
    assert fallen(now, before) == [
        "unary_server: per second 8.4x grpc.aio on uvloop, was 10x",
        "unary_server: CPU µs each 0.12x grpc.aio on uvloop, was 0.1x",
    ]


def test_two_builds_are_compared(tmp_path: Path) -> None:
    extension = subprocess.check_output(
        [sys.executable, "-P", "-c", "import uvgrpc._core; print(uvgrpc._core.__file__)"], text=True
    )
    shutil.copytree(Path(extension.strip()).parent, tmp_path / "uvgrpc")
    command = [sys.executable, str(BENCH / "run.py"), "--quick", "unary_client"]
    command += ["--peers", "uvgrpc", "--base", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(
        r"^  per second: [\d.]+x uvgrpc, base build \(rounds: [\d.]+\)$", done.stdout, re.MULTILINE
    )


def test_idle_server_sleeps_in_one_thread(scenarios: dict[str, Any]) -> None:
    (values,) = scenarios["idle"]["uvgrpc"]["rounds"]
    assert values["wakeups"] <= 1  # in two seconds
    assert values["threads"] == 1


def test_soak_leaves_nothing(scenarios: dict[str, Any]) -> None:
    (values,) = scenarios["soak"]["uvgrpc"]["rounds"]
    assert (values["calls"], values["tasks"], values["handles"]) == (0, 0, 0)


def test_server_under_load_only_polls_reads_and_writes(scenarios: dict[str, Any]) -> None:
    result = scenarios["strace"]["uvgrpc"]
    (values,) = result["rounds"]
    assert values["stray"] <= 0.005, result["note"]  # 2,000 calls


def test_import_adds_little(scenarios: dict[str, Any]) -> None:
    (values,) = scenarios["imports"]["uvgrpc"]["rounds"]
    assert 0 < values["own_ms"] <= 100  # the goal is 10, on a machine that has nothing else to do


def test_report_renders(results: Path, tmp_path: Path) -> None:
    output = tmp_path / "report.md"
    command = [sys.executable, str(BENCH / "report.py"), str(results), str(output)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    text = output.read_text()
    assert "## Unary calls: server" in text
    assert "Load: prepared frames." in text
    assert "Load: a real peer, " in text
    assert "| grpc.aio on uvloop |" in text
    assert "${" not in text
