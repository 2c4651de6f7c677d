# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The programs in examples/, run as a user runs them."""

from __future__ import annotations

import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HELLOWORLD = Path(__file__).resolve().parents[2] / "examples" / "helloworld"
TIMEOUT = 30.0


def run(*arguments: str, timeout: float = TIMEOUT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=HELLOWORLD, capture_output=True, text=True, timeout=timeout)


@pytest.fixture(scope="module")
def stubs() -> None:
    done = run("generate.py")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def server(stubs: None) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "server.py"],
        cwd=HELLOWORLD,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def port_of(server: subprocess.Popen[str]) -> str:
    assert server.stdout is not None
    ready, _, _ = select.select([server.stdout], [], [], TIMEOUT)
    line = server.stdout.readline() if ready else ""
    match = re.fullmatch(r"listening on port (\d+)\n", line)
    assert match, f"server.py printed {line!r}"
    return match[1]


def test_client_greets_server(server: subprocess.Popen[str]) -> None:
    done = run("client.py", port_of(server), "uvgrpc")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Hello, uvgrpc!\n", "")


def test_ctrl_c_stops_server_silently(server: subprocess.Popen[str]) -> None:
    port_of(server)
    server.send_signal(signal.SIGINT)
    output, errors = server.communicate(timeout=TIMEOUT)
    assert (server.returncode, output, errors) == (0, "stopped\n", "")


def test_client_without_server_fails_with_unavailable(stubs: None) -> None:
    done = run("client.py", "1")
    assert done.returncode == 1
    assert "StatusCode.UNAVAILABLE" in done.stderr


def test_demo_shows_an_exchange_rates_and_one_thread() -> None:
    done = run("demo.py", timeout=90)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert re.search(r"synchronous client -> uvgrpc's server +Hello, uvgrpc!$", done.stdout, re.M)
    assert re.search(r"uvgrpc's client +-> grpc.aio's server +Hello, grpc!$", done.stdout, re.M)
    rates = re.search(r"^  uvgrpc server +([\d,]+) +([\d,]+)$", done.stdout, re.M)
    assert rates
    assert all(int(rate.replace(",", "")) > 0 for rate in rates.groups())
    assert done.stdout.endswith("Threads of the processes that run uvgrpc, under load: 1\n")
