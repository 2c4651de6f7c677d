# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Google's async clients against emulators: Bigtable's data client, Pub/Sub's generated ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from running import Process, Programs

from conftest import Outcome, need

ROWS = 1_500
MESSAGES = 500
BIGTABLE = f"Bigtable's async data client, {ROWS:,} put and get"
PUBSUB = f"Pub/Sub's async clients, {MESSAGES:,} messages"


def test_bigtable(compare: Callable[..., None], go_tools: Path) -> None:
    need("google.cloud.bigtable")

    def run(programs: Programs) -> dict[str, Outcome]:
        with (
            Process([go_tools / "programs", "emulators"], {}) as emulators,
            programs.app(
                "bigtable_client", ROWS, BIGTABLE_EMULATOR_HOST=emulators.line()["bigtable"]
            ) as client,
        ):
            report = client.line(120)
            client.wait()
        return {BIGTABLE: Outcome(report["cpu"], report["threads"], report["made_by"])}

    compare(run, threads={BIGTABLE: 1})


def test_pubsub(compare: Callable[..., None], go_tools: Path) -> None:
    need("google.pubsub_v1")

    def run(programs: Programs) -> dict[str, Outcome]:
        with (
            Process([go_tools / "programs", "emulators"], {}) as emulators,
            programs.app("pubsub_client", emulators.line()["pubsub"], MESSAGES) as client,
        ):
            report = client.line(120)
            client.wait()
        return {PUBSUB: Outcome(report["cpu"], report["threads"], report["made_by"])}

    compare(run, threads={PUBSUB: 1})
