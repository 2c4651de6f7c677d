# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""OpenTelemetry with an OTLP collector, and ddtrace with an agent of our own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from running import Programs

from conftest import Outcome, need

CALLS = 2_000
# Beside each ten calls a stream and a call that fails; each has a client's and a server's span.
SPANS = {"/hello.Greeter/SayHello": 2 * CALLS * 11 // 10, "/hello.Greeter/SayHellos": 2 * CALLS // 10}
TRACED = f"OpenTelemetry, {CALLS:,} traced calls and streams"
COLLECTOR = "OpenTelemetry, the collector of their spans"
DATADOG = f"ddtrace, {CALLS:,} traced calls and streams"


def test_opentelemetry(compare: Callable[..., None]) -> None:
    need("opentelemetry.exporter.otlp.proto.grpc")
    need("opentelemetry.instrumentation.grpc")

    def run(programs: Programs) -> dict[str, Outcome]:
        with programs.app("collector") as collector:
            target = f"127.0.0.1:{collector.line()['port']}"
            with programs.app("traced", target, CALLS) as traced:
                traced_report = traced.line(120)
                traced.wait()
            collector.stop()
            report = collector.line()
            collector.wait()
        assert report["spans"] == SPANS
        return {
            TRACED: Outcome(traced_report["cpu"], traced_report["threads"], traced_report["made_by"]),
            COLLECTOR: Outcome(report["cpu"], report["threads"], report["made_by"]),
        }

    compare(run, threads={TRACED: 8, COLLECTOR: 1})


class Agent(BaseHTTPRequestHandler):
    """Takes ddtrace's traces and counts them."""

    protocol_version = "HTTP/1.1"
    traces = 0

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        Agent.traces += int(self.headers.get("X-Datadog-Trace-Count", 0))
        self._answer(b'{"rate_by_service": {}}')

    do_POST = do_PUT

    def do_GET(self) -> None:
        self._answer(b'{"endpoints": ["/v0.4/traces"], "client_drop_p0s": false}')

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@contextmanager
def agent() -> Iterator[str]:
    Agent.traces = 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), Agent)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_ddtrace(compare: Callable[..., None]) -> None:
    need("ddtrace")
    off = ("DD_INSTRUMENTATION_TELEMETRY_ENABLED", "DD_REMOTE_CONFIGURATION_ENABLED", "DD_TRACE_STARTUP_LOGS")

    def run(programs: Programs) -> dict[str, Outcome]:
        with agent() as url:
            settings = {**dict.fromkeys(off, "false"), "DD_TRACE_API_VERSION": "v0.4"}
            with programs.app("datadog", CALLS, DD_TRACE_AGENT_URL=url, **settings) as traced:
                report = traced.line(120)
                traced.wait()
        # A call's client and server are one trace, carried by metadata.
        assert Agent.traces in (CALLS * 12 // 10, 2 * CALLS * 12 // 10)
        return {DATADOG: Outcome(report["cpu"], report["threads"], report["made_by"])}

    compare(run, threads={DATADOG: 4})
