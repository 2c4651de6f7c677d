# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""A channel that a control plane moves from one server to another, under load."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

from running import Process, Programs

from conftest import Outcome

CALLS = 5_000
TITLE = f"xDS with go-control-plane, {CALLS:,} calls and a switch"


def test_xds(compare: Callable[..., None], go_tools: Path) -> None:
    def run(programs: Programs) -> dict[str, Outcome]:
        with (
            programs.greeter() as (_, before, _),
            programs.greeter(GREETING="Goodbye") as (_, after, _),
            Process([go_tools / "programs", "xds", str(before), str(after)], {}) as control,
        ):
            bootstrap = {
                "xds_servers": [
                    {
                        "server_uri": f"127.0.0.1:{control.line()['port']}",
                        "channel_creds": [{"type": "insecure"}],
                        "server_features": ["xds_v3"],
                    }
                ],
                "node": {"id": "test"},
            }
            with programs.app("xds_client", CALLS, GRPC_XDS_BOOTSTRAP_CONFIG=json.dumps(bootstrap)) as client:
                assert client.line(60) == {"half": True}
                os.kill(control.pid, signal.SIGUSR1)
                report = client.line(120)
                client.wait()
        assert report["answers"].keys() == {"Hello, you!", "Goodbye, you!"}
        assert sum(report["answers"].values()) >= CALLS
        assert report["after"] == ["Goodbye, you!"]
        return {TITLE: Outcome(report["cpu"], report["threads"], report["made_by"])}

    compare(run, threads={TITLE: 1})
