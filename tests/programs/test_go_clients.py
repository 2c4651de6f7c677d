# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""grpcurl and ghz against a server in Python."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from running import HERE, Programs, cpu_seconds, threads

from conftest import Outcome

CALLS = 10_000
STREAMS = 1_000  # of 100 messages each
UNARY, STREAMING = f"ghz, {CALLS:,} unary calls", f"ghz, {STREAMS:,} streams of 100 messages"


def test_ghz(compare: Callable[..., None], go_tools: Path) -> None:
    def load(port: int, method: str, count: int) -> dict[str, Any]:
        command = [
            *(go_tools / "ghz", "--insecure", "--proto", HERE / "protos" / "hello.proto"),
            *("--call", f"hello.Greeter.{method}", "--data", '{"name": "you"}'),
            *("--total", str(count), "--concurrency", "50", "--connections", "1", "--cpus", "1"),
            *("--timeout", "20s", "--format", "json", f"127.0.0.1:{port}"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def run(programs: Programs) -> dict[str, Outcome]:
        outcomes = {}
        for title, method, count in ((UNARY, "SayHello", CALLS), (STREAMING, "SayHellos", STREAMS)):
            with programs.greeter() as (server, port, ready):
                before = cpu_seconds(server.pid)
                report = load(port, method, count)
                spent = cpu_seconds(server.pid) - before
                assert report["statusCodeDistribution"] == {"OK": count}
                outcomes[title] = Outcome(spent, threads(server.pid), ready["made_by"])
                server.stop()
                server.wait()
        return outcomes

    compare(run, threads={UNARY: 1, STREAMING: 1})


def test_grpcurl(compare: Callable[..., None], go_tools: Path) -> None:
    def ask(*arguments: str) -> str:
        command = [str(go_tools / "grpcurl"), "-plaintext", "-max-time", "20", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout

    def run(programs: Programs) -> dict[str, Outcome]:
        with programs.greeter() as (server, port, ready):
            target = f"127.0.0.1:{port}"
            before = cpu_seconds(server.pid)
            assert "hello.Greeter" in ask(target, "list").split()
            assert "rpc SayHello ( .hello.Request ) returns ( .hello.Reply );" in ask(
                target, "describe", "hello.Greeter"
            )
            reply = ask("-d", '{"name": "you"}', target, "hello.Greeter/SayHello")
            assert json.loads(reply) == {"message": "Hello, you!"}
            replies = ask("-d", '{"name": "you"}', target, "hello.Greeter/SayHellos")
            assert replies.count('"Hello, you!"') == 100
            spent = cpu_seconds(server.pid) - before
            outcome = Outcome(spent, threads(server.pid), ready["made_by"])
            server.stop()
            server.wait()
        return {"grpcurl, reflection and two calls": outcome}

    compare(run, threads={"grpcurl, reflection and two calls": 1})
