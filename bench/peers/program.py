# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What every peer program shares: its command line, its JSON lines, its measured window.

A peer is started by the harness as

    peer.py serve --service KIND [--certificate FILE --key FILE] [--port PORT]
    peer.py client --load KIND --target HOST:PORT ...
    peer.py client --load echo --target HOST:PORT --size BYTES ...
    peer.py client --load soak --target HOST:PORT --count N

and prints JSON lines. A server prints its port, and after SIGTERM what it has left over; a client
prints when its measured window opens and closes, and then its result.
A peer that lacks a kind, a part of the API or a package says so with exit code NOT_YET.

| kind | service | load |
| --- | --- | --- |
| unary, streaming, pingpong, upload, echo | one of those in bench.proto | calls of it |
| latency, soak | unary | one call at a time, timed; some cancelled or late |
| metadata | unary, which wants ENTRIES and sends them back | calls with ENTRIES, which wants them back |
| intercepted | unary, behind an interceptor that does nothing | calls through such an interceptor |
| sleeping | unary, with a thread for each of 100 calls that sleep | |
| sync | unary, with a handler that is no coroutine, on a pool of 10 threads | |
| loops | unary, by two loops in two threads on one port | |
| starlette | unary, and a Starlette application under uvicorn in the same loop | |
| fair | unary, and a timer whose lag is told on SIGUSR1 | |
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

NOT_YET = 3
REPLIES = 1000  # of a streaming call; requests of an upload
HOST = "127.0.0.1"
GREETING = "Hello, you!"
LARGEST = 16 << 20  # bytes of a message; gRPC refuses more than 4 MiB if it is not told
UPLOADED = f"Hello, {REPLIES}!"
Found = TypeVar("Found")
ENTRIES = tuple((f"x-entry-{number}", f"value-{number}") for number in range(20))


@dataclass(frozen=True)
class Options:
    role: str
    kind: str
    target: str = ""
    concurrency: int = 1
    seconds: float = 0.0
    warmup: float = 0.0
    count: int = 0
    port: int = 0
    certificate: str = ""
    key: str = ""
    size: int = 0  # of an echo

    @property
    def channel_options(self) -> list[tuple[str, int]]:
        """For channels and servers."""
        return [("grpc.max_receive_message_length", LARGEST)] if self.kind == "echo" else []


def read_options() -> Options:
    parser = argparse.ArgumentParser(description="a peer of the benchmark; started by bench/run.py")
    roles = parser.add_subparsers(dest="role", required=True)
    serve = roles.add_parser("serve")
    serve.add_argument("--service", dest="kind", required=True)
    serve.add_argument("--port", type=int, default=0)
    serve.add_argument("--certificate", default="")
    serve.add_argument("--key", default="")
    client = roles.add_parser("client")
    client.add_argument("--load", dest="kind", required=True)
    client.add_argument("--target", required=True)
    client.add_argument("--concurrency", type=int, default=1)
    client.add_argument("--seconds", type=float, default=5.0)
    client.add_argument("--warmup", type=float, default=1.0)
    client.add_argument("--count", type=int, default=0)
    client.add_argument("--size", type=int, default=0)
    return Options(**vars(parser.parse_args()))


def find(table: Mapping[str, Found], kind: str) -> Found:
    """What a peer has for a kind."""
    if kind not in table:
        raise NotImplementedError(f"no {kind} for this peer")
    return table[kind]


def check(reply: Any, wanted: str = GREETING) -> None:
    """It says what it should: a reply of any of the generated classes."""
    if reply.message != wanted:
        raise RuntimeError(f"the server replied {reply.message!r}")


def check_entries(metadata: Iterable[Any]) -> None:
    """All of ENTRIES have come."""
    missing = {*ENTRIES} - {(key, value) for key, value in metadata}
    if missing:
        raise RuntimeError(f"metadata is missing: {missing}")


def emit(**fields: object) -> None:
    print(json.dumps(fields), flush=True)


def versions(*packages: str) -> dict[str, str]:
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed as a package"
    return found


def run(main: Callable[[Options], None]) -> None:
    """Run a peer; a missing part of the API becomes exit code NOT_YET."""
    try:
        main(read_options())
    except NotImplementedError as missing:
        emit(not_yet=str(missing) or "NotImplementedError")
        sys.exit(NOT_YET)
    except ModuleNotFoundError as missing:
        emit(not_here=str(missing))
        sys.exit(NOT_YET)


def tls_pair(options: Options) -> tuple[bytes, bytes] | None:
    """Private key and certificate of a server that is to have them."""
    if not options.certificate:
        return None
    return Path(options.key).read_bytes(), Path(options.certificate).read_bytes()


class Window:
    """Time, CPU of all threads and context switches of this process since it was made.

    Both ends are told to the harness, which looks at the other side of the connection then.
    """

    def __init__(self, *, told: bool = True) -> None:
        self._told = told
        if told:
            emit(window="open")
        usage = resource.getrusage(resource.RUSAGE_SELF)
        self._switches = usage.ru_nvcsw + usage.ru_nivcsw
        self._cpu = time.process_time()
        self._clock = time.perf_counter()

    def close(self, count: int) -> dict[str, float]:
        seconds = time.perf_counter() - self._clock
        cpu = time.process_time() - self._cpu
        usage = resource.getrusage(resource.RUSAGE_SELF)
        switches = usage.ru_nvcsw + usage.ru_nivcsw - self._switches
        if self._told:
            emit(window="closed")
        return {
            "count": count,
            "seconds": seconds,
            "cpu_seconds": cpu,
            "context_switches": switches,
        }


def echo_data(size: int) -> bytes:
    """What an echo sends: no two neighbouring pieces are the same."""
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def percentiles(took: list[float]) -> dict[str, float]:
    """Of the seconds that single calls took."""
    if not took:
        return {}
    took.sort()
    return {"p50_us": took[len(took) // 2] * 1e6, "p99_us": took[len(took) * 99 // 100] * 1e6}


def resident_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def leftovers() -> dict[str, int]:
    """Call objects and file descriptors that are alive after a collection."""
    gc.collect()
    calls = 0
    for thing in gc.get_objects():
        kind = type(thing)
        if kind.__name__.endswith(("Call", "ServicerContext", "RPCState")) and "grpc" in (
            kind.__module__ or ""
        ):
            calls += 1
    return {"calls": calls, "descriptors": len(os.listdir("/proc/self/fd"))}
