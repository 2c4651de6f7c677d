# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""uvgrpc at work, beside stock grpc: python demo.py

Runs the Greeter between processes in both directions, measures rates of all four pairs, taking
turns, and counts the threads. The exit code is 1 if anything fails or uvgrpc has a second thread.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from generate import generate

HERE = Path(__file__).resolve().parent
ROUNDS = 2
SECONDS = 1.0  # of load, a round and pair
TIMEOUT = 20.0
IMPLEMENTATIONS = ("stock", "uvgrpc")
TITLES = {"stock": "grpc.aio on uvloop", "uvgrpc": "uvgrpc"}


class DemoError(Exception):
    """Something did not work: the text says what."""


@dataclass(frozen=True)
class Server:
    pid: int
    port: int

    def threads(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/task"))


def cores() -> tuple[int, int]:
    """One core for servers and one for clients, if there are two."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[min(1, len(allowed) - 1)]


def pin(core: int) -> Callable[[], None]:
    """For a new process: run there, whatever threads it starts."""
    return lambda: os.sched_setaffinity(0, {core})


def ask(script: str, *arguments: str) -> str:
    """What a client prints."""
    done = subprocess.run(
        [sys.executable, str(HERE / script), *arguments],
        preexec_fn=pin(cores()[1]),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    if done.returncode != 0 or done.stderr:
        raise DemoError(
            f"{script} {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr.strip()}"
        )
    return done.stdout.strip()


@contextlib.contextmanager
def running(kind: str) -> Iterator[Server]:
    """A server, stopped like by Ctrl-C in the end."""
    script, arguments = ("server.py", ()) if kind == "uvgrpc" else ("demo_peer.py", ("serve",))
    process = subprocess.Popen(
        [sys.executable, str(HERE / script), *arguments],
        preexec_fn=pin(cores()[0]),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], TIMEOUT)
        line = process.stdout.readline() if ready else ""
        if not line.startswith("listening on port "):
            process.kill()
            raise DemoError(f"{script} did not start:\n{process.communicate()[1].strip()}")
        yield Server(process.pid, int(line.split()[-1]))
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=TIMEOUT)
        if process.returncode != 0 or output.strip() != "stopped" or errors:
            raise DemoError(f"{script} ended with {process.returncode}:\n{output}{errors.strip()}")
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def expect(said: str, wanted: str) -> str:
    if said != wanted:
        raise DemoError(f"the reply was {said!r} instead of {wanted!r}")
    return said


def main() -> None:
    generate()
    threads: set[int] = set()
    rates: dict[tuple[str, str], list[float]] = {}
    with running("uvgrpc") as ours, running("stock") as stock:
        servers = {"uvgrpc": ours, "stock": stock}
        print("A real exchange")
        said = expect(ask("demo_peer.py", "greet", str(ours.port), "uvgrpc"), "Hello, uvgrpc!")
        print(f"  grpc's synchronous client -> uvgrpc's server      {said}")
        said = expect(ask("client.py", str(stock.port), "grpc"), "Hello, grpc!")
        print(f"  uvgrpc's client           -> grpc.aio's server    {said}")
        for _ in range(ROUNDS):
            for client in IMPLEMENTATIONS:
                for server in IMPLEMENTATIONS:
                    port = str(servers[server].port)
                    answer = json.loads(ask("demo_peer.py", "load", port, str(SECONDS), client))
                    rates.setdefault((server, client), []).append(answer["rate"])
                    if client == "uvgrpc":
                        threads.add(answer["threads"])
                    threads.add(ours.threads())
    print("\nUnary calls per second: 100 at a time, one core a process, pairs taking turns")
    print(f"  {'':<28}" + "".join(f"{TITLES[client] + ' client':>28}" for client in IMPLEMENTATIONS))
    for server in IMPLEMENTATIONS:
        cells = (f"{statistics.median(rates[server, client]):>28,.0f}" for client in IMPLEMENTATIONS)
        print(f"  {TITLES[server] + ' server':<28}" + "".join(cells))
    both = {kind: statistics.median(rates[kind, kind]) for kind in IMPLEMENTATIONS}
    print(f"  uvgrpc at both ends: {both['uvgrpc'] / both['stock']:.1f} times grpc.aio at both ends")
    counts = ", ".join(map(str, sorted(threads)))
    print(f"\nThreads of the processes that run uvgrpc, under load: {counts}")
    if threads != {1}:
        raise DemoError("uvgrpc has more than one thread")


if __name__ == "__main__":
    try:
        main()
    except (DemoError, subprocess.TimeoutExpired) as error:
        sys.exit(f"demo failed: {error}")
