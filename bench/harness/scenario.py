# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What a scenario is, and the one bench that it runs on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.child import ANY_CORE, Child
from harness.errors import BenchError, NotHere
from harness.peers import OWN_API, SUBJECT, Peer, python_path
from harness.tools import Canned, H2Load, Load, make_certificate
from harness.usage import Usage, usage

SERVICES = {
    "unary": "/bench.Unary/SayHello",
    "streaming": "/bench.Streaming/SayHello",
    "pingpong": "/bench.PingPong/SayHello",
    "echo": "/bench.Echo/Repeat",
    "upload": "/bench.Upload/SayHello",
    **dict.fromkeys(("metadata", "intercepted", "sleeping", "sync"), "/bench.Unary/SayHello"),
    **dict.fromkeys(("loops", "starlette", "fair"), "/bench.Unary/SayHello"),
}
WARMUP_REQUESTS = 500
CONNECTING, QUICK_CONNECTING = 3.0, 1.0  # seconds


@dataclass(frozen=True)
class Metric:
    key: str
    title: str
    digits: int = 0
    ratio: bool = False  # shown relative to the baseline too

    @property
    def more_is_better(self) -> bool:
        return self.key.startswith("rate")


@dataclass(frozen=True)
class Target:
    """A bound that the project sets itself; a relative one is of the ratio to another peer.

    It is for the project's grpc.aio, or another peer `of` the project's.
    """

    metric: str
    at_least: float | None = None
    at_most: float | None = None
    relative_to: str = ""
    of: str = SUBJECT.name


@dataclass(frozen=True)
class Bench:
    seconds: float
    quick: bool
    measured_core: int
    load_core: int
    canned: Path
    stubs: Path
    scratch: Path
    other_side: Peer  # of real connections
    runners: dict[str, list[str]] = field(default_factory=dict)  # what starts each peer
    base: Path | None = None  # holds the package uvgrpc of the peer for comparisons

    def unpinned(self) -> Bench:
        """The same where both sides run on any core."""
        return replace(self, measured_core=ANY_CORE, load_core=ANY_CORE)

    @contextmanager
    def server(
        self,
        peer: Peer,
        service: str,
        core: int | None = None,
        *,
        tls: bool = False,
        processes: int = 1,
    ) -> Iterator[Server]:
        """A fresh server of a peer, on the measured core if no other is said.

        Several processes share a port by SO_REUSEPORT.
        """
        command = self._command(peer, "serve", "--service", service)
        if tls:
            certificate, key = make_certificate(self.canned, self.scratch)
            command += ["--certificate", str(certificate), "--key", str(key)]
        core = self.measured_core if core is None else core
        environment = self.environment(peer)
        with ExitStack() as children:
            child = children.enter_context(Child(command, core, environment))
            ready = child.line()
            server = Server(self, child, int(ready["port"]), SERVICES[service], ready["versions"], ready, tls)
            for _ in range(processes - 1):
                another = [*command, "--port", str(server.port)]
                server.others.append(children.enter_context(Child(another, core, environment)))
                server.others[-1].line()
            yield server

    @contextmanager
    def canned_server(self, mode: str) -> Iterator[Server]:
        """The Go server of prepared frames, on the load core."""
        command = [str(self.canned), "serve", "-mode", mode]
        with Child(command, self.load_core, {"GOMAXPROCS": "1"}) as child:
            yield Server(self, child, int(child.line()["port"]), SERVICES[mode], {}, {})

    def client(
        self, peer: Peer, server: Server, load: str, concurrency: int, core: int, *more: str
    ) -> Exchange:
        """A client of a peer, for the bench's time after a warm-up; `more`: further arguments."""
        warmup = min(1.0, self.seconds / 2)
        command = self._command(
            *(peer, "client", "--load", load, "--target", f"127.0.0.1:{server.port}"),
            *("--concurrency", str(concurrency)),
            *("--seconds", str(self.seconds), "--warmup", str(warmup), *more),
        )
        with Child(command, core, self.environment(peer)) as child:
            _expect(child.line(warmup + 30), "open")
            before = server.used()
            _expect(child.line(self.seconds + 30), "closed")
            served = server.used() - before
            report = child.line()
            child.finish(15)
        return Exchange(report, served)

    def soak_client(self, peer: Peer, port: int, count: int, concurrency: int) -> Child:
        command = self._command(
            *(peer, "client", "--load", "soak", "--target", f"127.0.0.1:{port}"),
            *("--concurrency", str(concurrency), "--count", str(count)),
        )
        return Child(command, self.load_core, self.environment(peer))

    def _command(self, peer: Peer, *arguments: str) -> list[str]:
        if peer.name not in self.runners:
            raise NotHere(f"the other side, {peer.title}")
        return [*self.runners[peer.name], *arguments]

    def python(self, peer: Peer) -> str:
        """The interpreter of a peer in Python."""
        return self._command(peer)[0]

    def environment(self, peer: Peer) -> dict[str, str]:
        path = python_path(self.base if peer.base else None, self.stubs)
        return {"PYTHONPATH": path, "GRPC_VERBOSITY": "ERROR", "GOMAXPROCS": "1"}


def _expect(line: dict[str, Any], window: str) -> None:
    if line.get("window") != window:
        raise BenchError(f"a client said {line} where its window should have {window}")


@dataclass(frozen=True)
class Exchange:
    """What a client reports of its window, and what its server used meanwhile."""

    report: dict[str, Any]
    served: Usage


@dataclass
class Server:
    """A peer's server while it runs, and the loads that can be put on it."""

    bench: Bench
    child: Child
    port: int
    path: str
    versions: dict[str, str]
    ready: dict[str, Any]  # what it said when it was
    tls: bool = False
    others: list[Child] = field(default_factory=list)  # processes on the same port

    def used(self) -> Usage:
        """By all processes, since they were started."""
        total = usage(self.child.pid)
        for other in self.others:
            total += usage(other.pid)
        return total

    def canned(self) -> Canned:
        return Canned(self.bench.canned, self.bench.load_core, self.port, self.path, tls=self.tls)

    def h2load(self, streams: int, connections: int = 1) -> H2Load:
        """After one call that is checked whole."""
        reply_bytes = self.canned().verify("unary")
        return H2Load(
            *(self.bench.load_core, self.port, self.path, streams, reply_bytes, self.bench.scratch),
            connections,
            tls=self.tls,
        )

    def under_h2load(self, streams: int, replies: int = 1, connections: int = 1) -> tuple[Load, Usage]:
        """Calls for about the bench's time, after a warm-up that also tells how many those are."""
        generator = self.h2load(streams, connections)
        warmup = generator.measure(max(WARMUP_REQUESTS // replies, streams * connections), 60)
        wanted = warmup.exchanges / warmup.seconds * min(0.5, self.bench.seconds / 2)
        warmup = generator.measure(int(wanted), 60)
        before = self.used()
        load = generator.measure(
            int(warmup.exchanges / warmup.seconds * self.bench.seconds), self.bench.seconds * 5 + 60
        )
        return load, self.used() - before

    def under_many_connections(self, connections: int) -> tuple[Load, Usage]:
        """One call at a time on each. They are made before, in a warm-up."""
        generator = self.h2load(1, connections)
        return generator.measure_for(
            self.bench.seconds, QUICK_CONNECTING if self.bench.quick else CONNECTING, self.child.pid
        )

    def under_canned(self, mode: str, streams: int) -> tuple[Load, Usage]:
        generator = self.canned()
        generator.verify(mode)
        generator.measure(mode, streams, min(0.5, self.bench.seconds / 2))
        before = self.used()
        load = generator.measure(mode, streams, self.bench.seconds)
        return load, self.used() - before

    def idle_usage(self, seconds: float) -> Usage:
        before = self.used()
        time.sleep(seconds)
        return self.used() - before


@dataclass(frozen=True)
class Measurement:
    values: dict[str, float]
    versions: dict[str, str]
    note: str = ""


@dataclass(frozen=True)
class Scenario:
    name: str
    title: str
    peers: tuple[str, ...]
    metrics: tuple[Metric, ...]
    measure: Callable[[Bench, Peer], Measurement]
    targets: tuple[Target, ...] = ()
    once: bool = False  # rounds tell nothing more
    real: bool = False  # against a real gRPC implementation instead of prepared frames
    other_side: str = "prepared frames"  # where it is not that
    needs: tuple[str, ...] = ()  # other peers that have to be there


ALL_PEERS = ("uvgrpc", "aio-uvloop", "aio-asyncio", "threads", "gevent", "grpclib")
SERVER_PEERS = (*ALL_PEERS, "floor", "capi", "grpcpp", "grpcpp-cq", "tonic", "grpc-go", "grpc-js")
CLIENT_PEERS = (*ALL_PEERS, "grpcpp-cq", "tonic", "grpc-go", "grpc-js")
# Where uvgrpc's own API is measured beside grpc.aio's, which it must not be slower than.
OWN_SERVER_PEERS = (*SERVER_PEERS, OWN_API.name)
OWN_CLIENT_PEERS = (*CLIENT_PEERS, OWN_API.name)
OWN_TARGET = Target("rate", at_least=1.0, relative_to=SUBJECT.name, of=OWN_API.name)
AIO_PEERS = ("uvgrpc", "aio-uvloop")
# Those whose programs have what only some scenarios want.
FULL_SERVER_PEERS = tuple(name for name in SERVER_PEERS if name not in ("floor", "capi"))
INTERCEPTING_PEERS = ("uvgrpc", "aio-uvloop", "aio-asyncio", "threads", "tonic", "grpc-go", "grpc-js")
METADATA_PEERS = (*ALL_PEERS, "tonic", "grpc-go", "grpc-js")
METRICS = (
    Metric("rate", "per second", 0, ratio=True),
    Metric("cpu_us", "CPU µs each", 1, ratio=True),
    Metric("switches", "context switches each", 3),
    Metric("own_cpu", "own CPU %", 0),
    Metric("other_cpu", "other side's CPU %", 0),
    Metric("busy", "busy shares, sum", 2),
)


def server_values(load: Load, used: Usage, each: int = 1) -> dict[str, float]:
    """The values of METRICS for a server; each = messages an exchange."""
    count = load.exchanges * each
    return {
        "rate": count / load.seconds,
        "cpu_us": used.cpu_seconds * 1e6 / count,
        "switches": used.switches / count,
        "own_cpu": used.cpu_seconds / load.seconds * 100,
        "other_cpu": load.cpu_share * 100,
        "busy": used.cpu_seconds / load.seconds + load.cpu_share,
    }


def client_measurement(exchange: Exchange, served_by: dict[str, str]) -> Measurement:
    """The values of METRICS for a client."""
    report = exchange.report
    count, seconds, cpu = max(int(report["count"]), 1), report["seconds"], report["cpu_seconds"]
    values = {
        "rate": count / seconds,
        "cpu_us": cpu * 1e6 / count,
        "switches": report["context_switches"] / count,
        "own_cpu": cpu / seconds * 100,
        "other_cpu": exchange.served.cpu_seconds / seconds * 100,
        "busy": (cpu + exchange.served.cpu_seconds) / seconds,
    }
    values |= {key: report[key] for key in ("p50_us", "p99_us") if key in report}
    return Measurement(values, served_by | report["versions"])


def server_load(
    service: str,
    streams: int,
    connections: int = 1,
    *,
    tls: bool = False,
    pinned: bool = True,
    processes: int = 1,
) -> Callable[[Bench, Peer], Measurement]:
    """Measures a server under h2load."""

    def measure(bench: Bench, peer: Peer) -> Measurement:
        bench = bench if pinned else bench.unpinned()
        with bench.server(peer, service, tls=tls, processes=processes) as server:
            load, used = server.under_h2load(streams, connections=connections)
            return Measurement(server_values(load, used), server.versions)

    return measure


def client_load(load: str, concurrency: int) -> Callable[[Bench, Peer], Measurement]:
    """Measures a client against the server of prepared frames for `load`."""

    def measure(bench: Bench, peer: Peer) -> Measurement:
        with bench.canned_server(load) as server:
            exchange = bench.client(peer, server, load, concurrency, bench.measured_core)
            return client_measurement(exchange, server.versions)

    return measure
