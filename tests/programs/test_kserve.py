# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""KServe's model server, by its client for inference."""

from __future__ import annotations

from collections.abc import Callable

from running import Programs, cpu_seconds, free_port

from conftest import Outcome, need

CALLS = 1_000
CLIENT, SERVER = f"KServe's client, {CALLS:,} inferences", f"KServe's model server, {CALLS:,} inferences"


def test_kserve(compare: Callable[..., None]) -> None:
    need("kserve")

    one_thread = {"OPENBLAS_NUM_THREADS": "1"}  # of numpy's

    def run(programs: Programs) -> dict[str, Outcome]:
        http_port, grpc_port = free_port(), free_port()
        ports = (f"--http_port={http_port}", f"--grpc_port={grpc_port}")
        with programs.app("kserve_server", *ports, **one_thread) as server:
            server.line(120)
            before = cpu_seconds(server.pid)
            with programs.app("kserve_client", f"127.0.0.1:{grpc_port}", CALLS, **one_thread) as client:
                report = client.line(120)
                client.wait()
            served = server.line()
            spent = cpu_seconds(server.pid) - before
        return {
            CLIENT: Outcome(report["cpu"], report["threads"], report["made_by"]),
            SERVER: Outcome(spent, served["threads"], served["made_by"]),
        }

    compare(run, threads={CLIENT: 1, SERVER: 6})
