# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Echoes of messages of several sizes, with a real implementation of gRPC on the other side."""

from __future__ import annotations

from dataclasses import replace

from harness.peers import Peer
from harness.real import Measure
from harness.scenario import Bench, Measurement, Metric, client_measurement
from harness.tools import H2Load

SIZES = {"1 KiB": 1 << 10, "64 KiB": 1 << 16, "1 MiB": 1 << 20, "4 MiB": 1 << 22}
QUICK_SIZES = ("1 MiB",)
WARMUPS = 20

SIZE_METRICS = (
    *(Metric(f"cpu_ms {size}", f"{size}: CPU ms each", 3, ratio=True) for size in SIZES),
    *(Metric(f"rate {size}", f"{size}: per second", 0, ratio=True) for size in SIZES),
)
LARGE_SERVER_PEERS = ("uvgrpc", "aio-uvloop", "threads", "floor", "capi", "grpcpp", "tonic", "grpc-go")
TLS_LARGE_SERVER_PEERS = ("uvgrpc", "aio-uvloop", "threads", "grpcpp", "tonic", "grpc-go")
LARGE_CLIENT_PEERS = ("uvgrpc", "aio-uvloop", "threads", "tonic", "grpc-go")


def echo_server_load(concurrency: int) -> Measure:
    """Measures a server, each size for its part of the bench's time."""

    def measure(bench: Bench, peer: Peer) -> Measurement:
        values: dict[str, float] = {}
        versions: dict[str, str] = {}
        for size, part in _parts(bench).items():
            with part.server(peer, "echo") as server:
                core, other = part.load_core, part.other_side
                exchange = part.client(other, server, "echo", concurrency, core, *_size(size))
                count = max(int(exchange.report["count"]), 1)
                values[f"cpu_ms {size}"] = exchange.served.cpu_seconds * 1e3 / count
                values[f"rate {size}"] = count / exchange.report["seconds"]
                versions = server.versions
        return Measurement(values, versions)

    return measure


def tls_echo_server_load(concurrency: int) -> Measure:
    """Measures a server over TLS; h2load asks, which checks the replies' size."""

    def measure(bench: Bench, peer: Peer) -> Measurement:
        values: dict[str, float] = {}
        versions: dict[str, str] = {}
        for size, part in _parts(bench).items():
            with part.server(peer, "echo", tls=True) as server:
                request = _framed_payload(SIZES[size])
                generator = H2Load(
                    *(part.load_core, server.port, server.path, concurrency, len(request), part.scratch),
                    tls=True,
                    request=request,
                )
                warmup = generator.measure(WARMUPS, 60)
                count = max(int(warmup.exchanges / warmup.seconds * part.seconds), 1)
                before = server.used()
                load = generator.measure(count, part.seconds * 5 + 60)
                used = server.used() - before
                values[f"cpu_ms {size}"] = used.cpu_seconds * 1e3 / load.exchanges
                values[f"rate {size}"] = load.exchanges / load.seconds
                versions = server.versions
        return Measurement(values, versions)

    return measure


def _framed_payload(size: int) -> bytes:
    """A Payload with that much data as it is on the wire: field 1, its length, the data."""
    length = bytearray()
    rest = size
    while rest > 0x7F:
        length.append(rest & 0x7F | 0x80)
        rest >>= 7
    length.append(rest)
    message = b"\n" + bytes(length) + bytes(size)
    return b"\0" + len(message).to_bytes(4, "big") + message


def echo_client_load(concurrency: int) -> Measure:
    """Measures a client, each size for its part of the bench's time."""

    def measure(bench: Bench, peer: Peer) -> Measurement:
        values: dict[str, float] = {}
        versions: dict[str, str] = {}
        for size, part in _parts(bench).items():
            with part.server(part.other_side, "echo", part.load_core) as server:
                exchange = part.client(peer, server, "echo", concurrency, part.measured_core, *_size(size))
                measured = client_measurement(exchange, server.versions)
                values[f"cpu_ms {size}"] = measured.values["cpu_us"] / 1e3
                values[f"rate {size}"] = measured.values["rate"]
                versions = measured.versions
        return Measurement(values, versions)

    return measure


def _size(size: str) -> tuple[str, str]:
    return "--size", str(SIZES[size])


def _parts(bench: Bench) -> dict[str, Bench]:
    sizes = QUICK_SIZES if bench.quick else tuple(SIZES)
    return {size: replace(bench, seconds=bench.seconds / len(sizes)) for size in sizes}
