# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""etcd, by its asyncio client."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from running import Process, Programs, free_port, wait_for_port

from conftest import Outcome, need

PAIRS = 5_000
TITLE = f"aetcd, {PAIRS:,} put and get"


def test_aetcd(compare: Callable[..., None], go_tools: Path, tmp_path: Path) -> None:
    need("aetcd")

    def run(programs: Programs) -> dict[str, Outcome]:
        port, peer_port = free_port(), free_port()
        mine, others = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer_port}"
        command = [
            *(go_tools / "server", "--data-dir", tmp_path / programs.backend, "--unsafe-no-fsync"),
            *("--listen-client-urls", mine, "--advertise-client-urls", mine),
            *("--listen-peer-urls", others, "--initial-advertise-peer-urls", others),
            *("--initial-cluster", f"default={others}", "--log-level", "error"),
        ]
        with Process(command, {}) as server:
            wait_for_port(server, port)
            with programs.app("etcd_client", port, PAIRS) as client:
                report = client.line(120)
                client.wait()
            server.stop()
            server.wait()
        return {TITLE: Outcome(report["cpu"], report["threads"], report["made_by"])}

    compare(run, threads={TITLE: 1})
