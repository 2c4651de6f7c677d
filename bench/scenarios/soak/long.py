# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The long soak: python bench/scenarios/soak/long.py [--minutes 30] [--clients 200] [--plot FILE.svg].

Servers of uvgrpc, stock and grpc-go; clients of uvgrpc and stock in several processes, and of grpc-go
against uvgrpc. Certificates change every 20 s, a server of uvgrpc is replaced every 60 s (the new one
shares its ports), children are forked. Prints what came of it, and ends with 1 when a reply was wrong
or lost or something grew.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme

HERE = Path(__file__).parent
GO = HERE.parents[1] / "peers" / "grpc_go"
# Not the harness's own, which it keeps by what it is made of.
GO_BINARY = HERE.parents[1] / ".build" / "soak" / "grpc_go"
CLIENT_PROCESSES = ("uvgrpc",) * 5 + ("stock",) * 3
RESTART, RELOAD = 60.0, 20.0
MIB = 1 << 20
# What a process may grow by between the end of its warm-up and its end.
GROWTH = 8 * MIB
WARM_UP = 0.4
QUIET = {"GRPC_VERBOSITY": "NONE"}


@dataclass
class Worker:
    """A process of clients, and what it has reported."""

    kind: str
    process: subprocess.Popen[str]
    reports: list[tuple[float, dict[str, float]]] = field(default_factory=list)

    def read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.reports.append((time.monotonic(), json.loads(line)))


def serve(kind: str, ports: tuple[int, int], folder: Path) -> tuple[subprocess.Popen[str], list[int]]:
    command = [sys.executable, str(HERE / "server.py"), kind, *map(str, ports), str(folder)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **QUIET}
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


def figures(process: subprocess.Popen[str]) -> dict[str, float]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    found: dict[str, float] = json.loads(process.stdout.readline())
    return found


def write_certificate(authority: trustme.CA, folder: Path) -> None:
    made = authority.issue_cert("localhost", "127.0.0.1")
    chain = b"".join(pem.bytes() for pem in made.cert_chain_pems)
    # A server that reads between the two finds a pair that does not fit, and keeps the one it has.
    for name, content in (("key.pem", made.private_key_pem.bytes()), ("chain.pem", chain)):
        Path(folder, name + ".new").write_bytes(content)
        Path(folder, name + ".new").rename(Path(folder, name))


def go_server() -> tuple[subprocess.Popen[str] | None, int]:
    """grpc-go's, when Go is here."""
    GO_BINARY.parent.mkdir(parents=True, exist_ok=True)
    try:
        subprocess.run(["go", "build", "-mod=readonly", "-o", str(GO_BINARY), "."], cwd=GO, check=True)
    except (OSError, subprocess.CalledProcessError):
        print("Go is not here: without grpc-go", file=sys.stderr)
        return None, 0
    process = subprocess.Popen(
        [str(GO_BINARY), "serve", "--service", "unary"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())["port"]


def go_client(port: int) -> subprocess.Popen[str]:
    """grpc-go against a server, for some seconds; it compares every reply."""
    arguments = ["--load", "unary", "--target", f"127.0.0.1:{port}", "--concurrency", "2"]
    return subprocess.Popen(
        [str(GO_BINARY), "client", *arguments, "--seconds", "2", "--warmup", "0.1"],
        stdout=subprocess.PIPE,
        text=True,
    )


def plot(path: Path, workers: list[Worker], began: float) -> None:
    """p99 over time of each process, as SVG."""
    lines = []
    found = [(w.kind, [(t - began, r["p99"] * 1e3) for t, r in w.reports if "p99" in r]) for w in workers]
    width = max((t for _, points in found for t, _ in points), default=1.0)
    height = max((p for _, points in found for _, p in points), default=1.0)
    for kind, points in found:
        colour = {"uvgrpc": "#1f77b4", "stock": "#ff7f0e"}[kind]
        spots = " ".join(f"{60 + t / width * 720:.1f},{270 - p / height * 240:.1f}" for t, p in points)
        lines.append(f'<polyline fill="none" stroke="{colour}" points="{spots}"/>')
    path.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 300" '
        'font-family="sans-serif" font-size="12">'
        '<rect width="800" height="300" fill="white"/><path d="M60 30V270H780" fill="none" stroke="black"/>'
        f'<text x="5" y="35">{height:.0f} ms</text><text x="5" y="270">0</text>'
        f'<text x="740" y="290">{width / 60:.1f} min</text>'
        '<text x="70" y="20">p99 of unary calls: uvgrpc\'s clients blue, stock\'s orange</text>'
        f"{''.join(lines)}</svg>\n"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    authority = trustme.CA()
    problems: list[str] = []
    counts: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_certificate(authority, folder)
        server, ports = serve("uvgrpc", (0, 0), folder)
        stock, stock_ports = serve("stock", (0, 0), folder)
        # Never replaced: what it holds is to stay flat.
        lasting, lasting_ports = serve("uvgrpc", (0, 0), folder)
        floor = figures(lasting)
        go, go_port = go_server()
        targets = [["uvgrpc", *ports], ["uvgrpc", *lasting_ports], ["stock", *stock_ports]]
        seconds = arguments.minutes * 60
        workers = []
        for index, kind in enumerate(CLIENT_PROCESSES):
            config = {
                "clients": arguments.clients // len(CLIENT_PROCESSES),
                "seconds": seconds,
                # Stock against stock says nothing of uvgrpc.
                "targets": targets[:2]
                if kind == "stock"
                else [*targets, *([["go", go_port, 0]] if go else [])],
                "roots": authority.cert_pem.bytes().decode(),
                "forks": kind == "uvgrpc" and index == 0,
                "seed": index,
            }
            command = [sys.executable, str(HERE / "client.py"), kind, json.dumps(config)]
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, text=True, env={**os.environ, **QUIET}
            )
            workers.append(Worker(kind, process))
            threading.Thread(target=workers[-1].read, daemon=True).start()
        began = time.monotonic()
        restarted = reloaded = told = began
        samples: list[tuple[float, dict[str, float]]] = []
        going: subprocess.Popen[str] | None = None
        while any(worker.process.poll() is None for worker in workers):
            time.sleep(1)
            now = time.monotonic()
            samples.append((now - began, figures(lasting)))
            if go and (going is None or going.poll() is not None):
                if going is not None:
                    counts["go clients"] += 1
                    if going.returncode != 0:
                        problems.append(f"grpc-go's client ended with {going.returncode}")
                going = go_client(lasting_ports[0])
            if now - reloaded >= RELOAD:
                reloaded = now
                write_certificate(authority, folder)
                counts["certificates"] += 1
            if now - restarted >= RESTART and now - began < seconds - 10:
                restarted = now
                old = server
                server, _ = serve("uvgrpc", (ports[0], ports[1]), folder)
                assert old.stdin is not None
                old.stdin.close()
                if old.wait(60) != 0:
                    problems.append(f"a server that was replaced ended with {old.returncode}")
                counts["restarts"] += 1
            if now - told >= 30:
                told = now
                replies = sum(
                    count
                    for worker in workers
                    if worker.reports
                    for name, count in worker.reports[-1][1].items()
                    if name.startswith("_")
                )
                print(f"{now - began:.0f} of {seconds:.0f} s, {replies} calls", file=sys.stderr, flush=True)
            if now - began > seconds + 120:
                problems.append("clients do not end")
                for worker in workers:
                    worker.process.send_signal(signal.SIGKILL)
        if going is not None:
            going.wait(30)
        end = _settled(lasting, floor)
        for process in (server, stock, lasting, *([go] if go else [])):
            assert process.stdin is not None
            process.stdin.close()
            if process is go:
                process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                problems.append("a server does not end")
                process.kill()
    problems += _grown("the lasting server", samples, seconds, end, floor)
    for index, worker in enumerate(workers):
        name = f"clients {index} of {worker.kind}"
        if worker.process.returncode != 0:
            problems.append(f"{name} ended with {worker.process.returncode}")
        if not worker.reports:
            continue
        last = worker.reports[-1][1]
        counts.update({key: int(value) for key, value in last.items() if key.startswith("_")})
        counts.update({key: int(last.get(key, 0)) for key in ("again", "lost", "wrong", "forks", "channels")})
        counts[f"stray of {worker.kind}"] += int(last.get("stray", 0))
        if worker.kind == "uvgrpc":
            times = [(moment - began, report) for moment, report in worker.reports]
            problems += _grown(name, times[:-1], seconds, last, {"residents": 0, "tasks": 1})
    # Stock's own are told, and no fault of its servers.
    for key in ("lost", "wrong", "stray of uvgrpc"):
        if counts[key]:
            problems.append(f"{counts[key]} replies {key}")
    calls = sum(count for key, count in counts.items() if key.startswith("_"))
    print(
        f"{arguments.minutes:g} minutes, {arguments.clients} clients in {len(workers)} processes: "
        f"{calls} calls"
    )
    print(", ".join(f"{key.strip('_')} {count}" for key, count in sorted(counts.items())))
    rss = [sample["rss"] / MIB for _, sample in samples]
    print(
        f"RSS of the lasting server: {rss[0]:.1f} MiB at first, "
        f"{rss[int(len(rss) * WARM_UP)]:.1f} after warm-up, {rss[-1]:.1f} at the end"
    )
    if arguments.plot:
        plot(arguments.plot, workers, began)
    print("problems: " + ("; ".join(problems) or "none"))
    return 1 if problems else 0


def _settled(process: subprocess.Popen[str], floor: dict[str, float]) -> dict[str, float]:
    """Its figures once they are those of the beginning, or after a while."""
    for _ in range(100):
        found = figures(process)
        if all(found[key] <= floor[key] for key in ("residents", "handles", "fds", "tasks")):
            break
        time.sleep(0.1)
    return found


def _grown(
    name: str,
    samples: list[tuple[float, dict[str, Any]]],
    seconds: float,
    end: dict[str, Any],
    floor: dict[str, Any],
) -> list[str]:
    """What is left or has grown. Means of a fifth of the time, since calls come and go."""

    def mean(first: float, last: float) -> float:
        found = [sample["rss"] for at, sample in samples if first * seconds <= at < last * seconds]
        return sum(found) / max(1, len(found))

    problems = [
        f"{name}: {end[key]:.0f} {key} left, not {floor[key]:.0f}" for key in floor
        if key in ("residents", "handles", "fds", "tasks") and end[key] > floor[key]
    ]  # fmt: skip
    grown = mean(0.8, 1.0) - mean(WARM_UP, WARM_UP + 0.2)
    if grown > GROWTH:
        problems.append(f"{name}: has grown by {grown / MIB:.1f} MiB")
    return problems


if __name__ == "__main__":
    sys.exit(main())
