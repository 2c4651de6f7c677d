# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The load generator ghz, with the workload that others have published numbers of."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from harness.child import pinned
from harness.errors import BenchError, NotYet
from harness.peers import PROGRAMS

CONCURRENCY, SLEEP_MS = 100, 10
PERCENTILES = {50: "p50_ms", 99: "p99_ms"}


@dataclass(frozen=True)
class Ghz:
    binary: Path
    core: int
    port: int

    def run(self, calls: int) -> dict[str, float]:
        """Its own numbers, in its own units: per second and milliseconds."""
        request = json.dumps({"name": "Joe", "sleep_millisecond": SLEEP_MS})
        command = [
            *(str(self.binary), "--insecure", "--proto", str(PROGRAMS / "bench.proto")),
            *("--call", "bench.Unary.SayHello", "-c", str(CONCURRENCY), "-n", str(calls), "-d", request),
            *("-O", "json", f"127.0.0.1:{self.port}"),
        ]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=120, preexec_fn=pinned(self.core)
        )
        if done.returncode != 0:
            raise BenchError(f"ghz failed: {done.stderr.strip()[-1000:]}")
        report = json.loads(done.stdout)
        statuses = report["statusCodeDistribution"]
        if "Unimplemented" in statuses:
            raise NotYet("UNIMPLEMENTED")
        if statuses != {"OK": calls}:
            raise BenchError(f"of {calls} calls of ghz: {statuses}")
        found = {entry["percentage"]: entry["latency"] / 1e6 for entry in report["latencyDistribution"]}
        if found[50] < SLEEP_MS:
            raise BenchError(f"a call that sleeps {SLEEP_MS} ms took {found[50]:.1f}")
        return {
            "rate": report["rps"],
            "seconds": report["total"] / 1e9,
            "mean_ms": report["average"] / 1e6,
            **{key: found[part] for part, key in PERCENTILES.items()},
        }
