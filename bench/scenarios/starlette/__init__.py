# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What a server answers beside a web application in the same loop."""

from harness.peers import Peer
from harness.real import load_of
from harness.scenario import AIO_PEERS, METRICS, Bench, Measurement, Metric, Scenario, server_values
from harness.tools import Http1Load

RATE = 1000  # HTTP requests a second


def measure(bench: Bench, peer: Peer) -> Measurement:
    with bench.server(peer, "starlette") as server:
        url = f"http://127.0.0.1:{server.ready['http_port']}/hello?name=you"
        with Http1Load(url, bench.load_core, RATE, bench.seconds + 2) as web:
            exchange = bench.client(bench.other_side, server, "unary", 100, bench.load_core)
        values = server_values(load_of(exchange.report), exchange.served)
        values |= {"http_rate": web.rate, "http_ms": web.mean_ms}
        return Measurement(values, server.versions)


SCENARIO = Scenario(
    name="starlette",
    title="Unary calls beside Starlette in the same loop",
    peers=AIO_PEERS,
    metrics=(
        *METRICS[:2],
        Metric("http_rate", "HTTP requests per second"),
        Metric("http_ms", "HTTP request's mean ms", 2, ratio=True),
        *METRICS[2:],
    ),
    measure=measure,
    real=True,
)
