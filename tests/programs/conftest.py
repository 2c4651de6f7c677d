# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Each program is run on grpc.aio as it is and on uvgrpc; at the end a table says what each took."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from running import HERE, Programs

BACKENDS = ("stock", "uvgrpc")
GO_TOOLS = ("grpcurl", "ghz", "server", "programs")  # etcd is "server", ours "programs"

LEAST_CPU = 0.1  # seconds, for a ratio: the kernel counts in hundredths


@dataclass(frozen=True)
class Outcome:
    """Of a process that was under load."""

    cpu: float  # seconds
    threads: int
    made_by: list[str]  # packages whose channels and servers it uses


@dataclass(frozen=True)
class Row:
    program: str
    stock: Outcome
    uvgrpc: Outcome


ROWS: list[Row] = []
Run = Callable[[Programs], dict[str, Outcome]]


def say(what: str) -> None:
    print(f"  {what}", flush=True)


@pytest.fixture(scope="session")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """hello_pb2 and hello_pb2_grpc."""
    folder = tmp_path_factory.mktemp("stubs")
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{HERE / 'protos'}"]
    outputs = [f"--{kind}_out={folder}" for kind in ("python", "grpc_python")]
    subprocess.run([*command, *outputs, "hello.proto"], check=True, timeout=60)
    return folder


@pytest.fixture
def compare(stubs: Path) -> Callable[..., None]:
    """Runs a program on both backends: whose objects it uses, and how many threads it may have."""

    def both(run: Run, *, threads: dict[str, int]) -> None:
        outcomes = {}
        for backend in BACKENDS:
            say(f"on {backend} ...")
            began = time.monotonic()
            outcomes[backend] = run(Programs(backend, stubs))
            say(f"on {backend}: right, {time.monotonic() - began:.1f} s")
        for program, limit in threads.items():
            stock, ours = (outcomes[backend][program] for backend in BACKENDS)
            ROWS.append(Row(program, stock, ours))
            assert stock.made_by == ["grpc"]
            assert ours.made_by == ["uvgrpc"]
            assert ours.threads <= limit
            assert ours.threads < stock.threads

    return both


@pytest.fixture(scope="session")
def go_tools() -> Path:
    """A folder with grpcurl, ghz, etcd and our program for emulators, from the modules that go.mod pins."""
    folder = HERE.parents[1] / "build" / "programs"
    folder.mkdir(parents=True, exist_ok=True)
    say("building grpcurl, ghz, etcd and emulators: some minutes the first time")
    command = ["go", "build", "-mod=readonly", "-o", f"{folder}/", "tool", "."]
    try:
        done = subprocess.run(command, cwd=HERE / "go", capture_output=True, text=True, timeout=900)
    except FileNotFoundError:
        pytest.skip("go is not in PATH: grpcurl, ghz, etcd and emulators are Go modules")
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        pytest.skip(f"the programs in Go could not be built: {reason[0]}")
    assert all((folder / tool).exists() for tool in GO_TOOLS)
    return folder


def need(package: str) -> None:
    """Skips a test whose program is not installed."""
    try:
        found = importlib.util.find_spec(package)
    except ModuleNotFoundError:
        found = None
    if found is None:
        pytest.skip(f"{package} is not installed: third_party/programs.txt has it")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not ROWS:
        return
    write = terminalreporter.write_line
    terminalreporter.section("CPU of each process under the same load, grpc.aio as it is → uvgrpc")
    width = max(len(row.program) for row in ROWS)
    write(f"{'program':{width}}  {'CPU s':>15}  {'times':>5}  threads")
    for row in ROWS:
        cpu = f"{row.stock.cpu:6.2f} → {row.uvgrpc.cpu:6.2f}"
        times = f"{row.uvgrpc.cpu / row.stock.cpu:.2f}" if row.stock.cpu >= LEAST_CPU else "-"
        write(f"{row.program:{width}}  {cpu:>15}  {times:>5}  {row.stock.threads} → {row.uvgrpc.threads}")
