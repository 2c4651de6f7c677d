# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The examples of services as they are run: TLS, traces, FastAPI, workers, xDS. Each as a user runs it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import run, unused_port

import uvgrpc

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
LIMIT = 30

pytestmark = pytest.mark.uvgrpc_only


class Program:
    """A program of an example that runs, in the example's folder."""

    def __init__(self, example: str, *arguments: str, **variables: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=EXAMPLES / example,
            env={**os.environ, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip()

    def match(self, pattern: str) -> str:
        """The group of the next line."""
        line = self.line()
        found = re.fullmatch(pattern, line)
        assert found, line or self.process.communicate()[1]
        return found[1]

    def say(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def end(self, number: int = signal.SIGTERM) -> str:
        """Ends it by a signal; gives the rest of its output. It must end well, and silently."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=LIMIT)
        assert (self.process.returncode, err) == (0, "")
        return out


@contextlib.contextmanager
def program(example: str, *arguments: str, **variables: str) -> Iterator[Program]:
    running = Program(example, *arguments, **variables)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.communicate()


def ask(example: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=EXAMPLES / example,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )


LISTENING = r"listening on port (\d+)"


# ---- tls


@pytest.fixture
def certificates(tmp_path: Path) -> dict[str, str]:
    done = ask("tls", "certificates.py", str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    return {"CERTIFICATES": str(tmp_path)}


def test_tls(certificates: dict[str, str]) -> None:
    with program("tls", "server.py", **certificates) as server:
        port = server.match(LISTENING)
        done = ask("tls", "client.py", port, **certificates)
        assert (done.stdout, done.stderr) == ("Hello, whoever you are!\n", "")
        assert server.end() == "stopped\n"


def test_mutual_tls(certificates: dict[str, str]) -> None:
    with program("tls", "server.py", "--mutual", **certificates) as server:
        port = server.match(LISTENING)
        known = ask("tls", "client.py", port, "--certificate", **certificates)
        assert (known.stdout, known.stderr) == ("Hello, ada.example!\n", "")
        refused = ask("tls", "client.py", port, **certificates)
        assert refused.returncode == 1
        assert "StatusCode.UNAVAILABLE" in refused.stderr


def test_tls_takes_new_certificates(certificates: dict[str, str], tmp_path: Path) -> None:
    old = (tmp_path / "authority.pem").read_bytes()
    with program("tls", "server.py", **certificates) as server:
        port = server.match(LISTENING)
        assert ask("tls", "client.py", port, **certificates).returncode == 0
        assert ask("tls", "certificates.py", str(tmp_path)).returncode == 0
        assert ask("tls", "client.py", port, **certificates).returncode == 0
        (tmp_path / "authority.pem").write_bytes(old)
        assert "StatusCode.UNAVAILABLE" in ask("tls", "client.py", port, **certificates).stderr


# ---- opentelemetry


def test_a_trace_goes_through_both_servers() -> None:
    done = ask("opentelemetry", "traced.py")
    assert (done.returncode, done.stderr) == (0, "")
    readme = (EXAMPLES / "opentelemetry" / "README.md").read_text()
    assert f"```text\n{done.stdout}```\n" in readme


# ---- fastapi


def get(url: str) -> object:
    with urllib.request.urlopen(url, timeout=LIMIT) as response:
        return json.load(response)


def test_web_and_grpc_in_one_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    web, port = unused_port(), unused_port()
    command = ["-m", "uvicorn", "--loop", "uvloop", "--port", str(web), "--log-level", "info", "app:app"]
    with program("fastapi", *command, GRPC_PORT=str(port)) as server:
        assert server.process.stderr is not None
        while "Uvicorn running" not in (line := server.process.stderr.readline()):
            assert line, "it has ended"
        assert get(f"http://127.0.0.1:{web}/hello/you") == {"message": "Hello, you!"}
        with pytest.raises(urllib.error.HTTPError, match="404") as refused:
            get(f"http://127.0.0.1:{web}/hello/nobody")
        refused.value.close()
        monkeypatch.chdir(EXAMPLES / "fastapi")
        protos = uvgrpc.proto("./greeter.proto")

        async def call() -> str:
            return str((await protos.Hi(f"localhost:{port}", {"name": "there"}, timeout=LIMIT)).message)

        assert run(call(), leaves_open=True) == "Hello, there!"
        names = [path.read_text() for path in Path(f"/proc/{server.process.pid}/task").glob("*/comm")]
        assert not [name for name in names if "grpc" in name or "event_engine" in name]
        server.process.send_signal(signal.SIGTERM)
        server.process.communicate(timeout=LIMIT)
        assert server.process.returncode in (0, -signal.SIGTERM)


# ---- workers


def test_workers_share_a_port_and_are_replaced_one_by_one() -> None:
    ready, ended = r"worker (\d+) is ready", r"worker (\d+) has ended"
    with program("workers", "workers.py", "0", "2") as parent:
        first = [parent.match(ready) for _ in range(2)]
        port = parent.match(LISTENING)
        done = ask("workers", "client.py", port, "40")
        assert done.stderr == ""
        answered = dict(re.findall(r"process (\d+) answered (\d+)", done.stdout))
        assert set(answered) == set(first)
        assert sum(map(int, answered.values())) == 40
        with program("workers", "client.py", port, "4", "3") as client:
            assert client.line() == "4 connections"
            # Its calls have begun when the first new worker is ready.
            parent.process.send_signal(signal.SIGHUP)
            second = []
            for old in first:
                second.append(parent.match(ready))
                assert parent.match(ended) == old
            assert parent.line() == "all replaced"
            out, err = client.process.communicate(timeout=LIMIT)
            assert (client.process.returncode, err) == (0, "")
            answered = dict(re.findall(r"process (\d+) answered (\d+)", out))
            assert set(answered) <= set(first)
            assert sum(map(int, answered.values())) == 4
        assert not set(first) & set(second)
        after = ask("workers", "client.py", port, "40").stdout
        assert {pid for pid, _ in re.findall(r"process (\d+) answered (\d+)", after)} == set(second)
        assert sorted(re.findall(ended, parent.end())) == sorted(second)


# ---- xds


def test_a_client_follows_the_control_plane() -> None:
    ports = [str(unused_port()) for _ in range(2)]
    with contextlib.ExitStack() as stack:
        for port in ports:
            backend = stack.enter_context(program("xds", "server.py", port))
            assert backend.match(LISTENING) == port
        plane = stack.enter_context(program("xds", "control_plane.py", "0", ports[0]))
        client = stack.enter_context(program("xds", "client.py", plane.match(LISTENING), "0.02"))
        old, new = (f"Hello, you, from {port}!" for port in ports)
        assert client.line() == old
        plane.say(ports[1])
        while (line := client.line()) == old:
            pass
        assert line == new
        assert client.line() == new
        assert client.process.poll() is None
