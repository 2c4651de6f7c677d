# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""A FastAPI application that makes RPCs, under three web servers with uvloop."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any

import pytest
from running import Programs, cpu_seconds, free_port, threads, wait_for_port

from conftest import Outcome, need

CALLERS = 8
WARMUP = 100
REQUESTS = 2000
STREAMS = 200  # of 100 messages each

# Each as a person would start it.
SERVERS = {
    "uvicorn": ["-m", "uvicorn", "--loop", "uvloop", "--log-level", "warning", "--port", "PORT", "web:app"],
    "hypercorn": ["-m", "hypercorn", "--worker-class", "uvloop", "--bind", "127.0.0.1:PORT", "web:app"],
    "granian": [
        *("-m", "granian", "--interface", "asgi", "--loop", "uvloop", "--host", "127.0.0.1"),
        *("--port", "PORT", "--log-level", "warning", "web:app"),
    ],
}


class Browser:
    """A keep-alive connection for each thread."""

    def __init__(self, port: int):
        self._port = port
        self._local = threading.local()

    def get(self, path: str) -> dict[str, Any]:
        if not hasattr(self._local, "connection"):
            self._local.connection = HTTPConnection("127.0.0.1", self._port, timeout=30)
        self._local.connection.request("GET", path)
        response = self._local.connection.getresponse()
        body = response.read()
        assert response.status == 200, body
        found: dict[str, Any] = json.loads(body)
        return found


@pytest.mark.parametrize("name", SERVERS)
def test_fastapi(name: str, compare: Callable[..., None]) -> None:
    need(name)
    need("fastapi")

    def run(programs: Programs) -> dict[str, Outcome]:
        port = free_port()
        arguments = [part.replace("PORT", str(port)) for part in SERVERS[name]]
        with (
            programs.greeter() as (_, greeter, _),
            programs.python(*arguments, GREETER=f"127.0.0.1:{greeter}") as server,
            ThreadPoolExecutor(CALLERS) as pool,
        ):
            wait_for_port(server, port)
            browser = Browser(port)

            def hello(number: int) -> None:
                assert browser.get(f"/hello/{number}") == {"message": f"Hello, {number}!"}

            def hellos(number: int) -> None:
                assert browser.get(f"/hellos/{number}") == {"right": 100, "wrong": 0}

            list(pool.map(hello, range(WARMUP)))
            report = browser.get("/report")
            spent = []
            for load, count in ((hello, REQUESTS), (hellos, STREAMS)):
                before = cpu_seconds(report["pid"])
                list(pool.map(load, range(count)))
                spent.append(cpu_seconds(report["pid"]) - before)
            alive = threads(report["pid"])
            server.stop()
            server.wait()
        return {
            title(name): Outcome(spent[0], alive, report["made_by"]),
            title(name, streams=True): Outcome(spent[1], alive, report["made_by"]),
        }

    limit = {"uvicorn": 5, "hypercorn": 1, "granian": 5}[name]  # some look names up, some run Rust
    compare(run, threads={title(name): limit, title(name, streams=True): limit})


def title(name: str, streams: bool = False) -> str:
    what = f"{STREAMS} requests of 100 messages" if streams else f"{REQUESTS:,} requests of one RPC"
    return f"FastAPI on {name}, {what}"
