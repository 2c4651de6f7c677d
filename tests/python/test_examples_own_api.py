# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""examples/ideal and examples/option2, run as a user runs them, and one with the other."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NAMES = ["ideal", "option2"]
LIMIT = 30

pytestmark = pytest.mark.uvgrpc_only


@pytest.fixture(scope="module", autouse=True)
def stubs() -> None:
    done = run("option2", "generate.py")
    assert (done.returncode, done.stderr) == (0, "")


def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=EXAMPLES / name, capture_output=True, text=True, timeout=LIMIT
    )


@contextlib.contextmanager
def serving(name: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """An example's server, in its own folder; gives its port, too."""
    with subprocess.Popen(
        [sys.executable, "server.py"],
        cwd=EXAMPLES / name,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            match = re.fullmatch(r"listening on port (\d+)\n", process.stdout.readline())
            assert match
            yield process, match[1]
        finally:
            process.kill()


@pytest.mark.parametrize("client", NAMES)
@pytest.mark.parametrize("server", NAMES)
def test_client_greets_server(server: str, client: str) -> None:
    with serving(server) as (_, port):
        done = run(client, "client.py", port, "ann", "bob")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "Hello, ann!\nHello, ann!\nHello, bob!\nBye!\n"


@pytest.mark.parametrize("server", NAMES)
def test_sigterm_stops_a_server(server: str) -> None:
    with serving(server) as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=LIMIT) == ("stopped\n", "")
        assert process.returncode == 0


@pytest.mark.parametrize("client", NAMES)
def test_client_without_server_fails(client: str) -> None:
    done = run(client, "client.py", "1")
    assert done.returncode == 1
    assert "StatusCode.UNAVAILABLE" in done.stderr


def test_nothing_is_written_for_the_ideal_one() -> None:
    def files() -> set[str]:
        return {path.name for path in (EXAMPLES / "ideal").iterdir() if path.name != "__pycache__"}

    before = files()
    with serving("ideal") as (_, port):
        assert run("ideal", "client.py", port).returncode == 0
    assert files() == before
