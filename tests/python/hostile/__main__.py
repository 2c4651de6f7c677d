# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What a well-behaved client and the server suffer from each attack, as a table.

python -m hostile [--kind uvgrpc|stock] [--seconds 5] [--connections 10000] [ATTACK ...]

The server has one core for itself. The attacker shares the other with the client and runs only while that
sleeps (SCHED_IDLE), as a machine of its own would not delay it: what the client feels is the server's.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import tls
import uvloop

from hostile.attacks import ATTACKS, TLS_ATTACKS, Attack, half_open
from hostile.server import Target, attacked

HALF_OPEN = "half-open connections"
MIB = 1 << 20
# What a well-behaved client may feel, as a multiple of what it sees in quiet.
SUFFERS = 3.0
# What is faster than the machine's own hiccups is no matter.
FLOOR_MS = 5.0
HEAD = (
    "| attack | p99 quiet | p99 under it | turns of 8 ms and more | CPU of the server | grows by "
    "| left when over | calls failed |\n| --- | --- | --- | --- | --- | --- | --- | --- |"
)


def _options(name: str) -> list[tuple[str, int]]:
    # So that a slow preface shows its end.
    return [("grpc.server_handshake_timeout_ms", 120_000 if name == HALF_OPEN else 2000)]


@contextlib.contextmanager
def _places(server: int) -> Iterator[None]:
    """Of the first two cores this process may use, the server gets one, and we, who yield, the other."""
    allowed = os.sched_getaffinity(0)
    cores = sorted(allowed)[:2]
    os.sched_setaffinity(server, cores[:1])
    os.sched_setaffinity(0, cores[-1:])
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        os.sched_setaffinity(0, allowed)


async def _probe(port: int, seconds: float, roots: Path | None) -> dict[str, float]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hostile.probe", str(port), str(seconds), *([str(roots)] if roots else [])),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    found: dict[str, float] = json.loads(out)
    return found


async def _attack(
    target: Target, name: str, attack: Attack, arguments: argparse.Namespace, roots: Path | None
) -> bool:
    # Channels of the probes are closed; what the server keeps for good is there then.
    await _probe(target.port, 0.5, roots)
    quiet = await _probe(target.port, arguments.seconds, roots)
    floor = await target.figures(collect=True)
    task = asyncio.ensure_future(attack(target.port))
    if name == HALF_OPEN:
        await target.gets_to(floor["fds"] + arguments.connections)
    else:
        await asyncio.sleep(0.5)
    before, began = await target.figures(), time.monotonic()
    loud = await _probe(target.port, arguments.seconds, roots)
    during = await target.figures()
    share = (during["cpu"] - before["cpu"]) / (time.monotonic() - began)
    ended = task.done()
    task.cancel()
    await asyncio.wait([task])
    began = time.monotonic()
    after = await target.back_to(floor)
    bounded = loud["p99"] <= max(SUFFERS * quiet["p99"], FLOOR_MS)
    right = bounded and not loud["failed"] and not ended
    print(
        f"| {name} | {quiet['p99']:.1f} ms | {loud['p99']:.1f} ms{'' if bounded else ' (!)'} "
        f"| {during.get('long', 0) - before.get('long', 0):.0f} "
        f"of {during.get('turns', 0) - before.get('turns', 0):.0f} "
        f"| {share:.0%} "
        f"| {(during['rss'] - floor['rss']) / MIB:.1f} MiB | nothing after {time.monotonic() - began:.1f} s, "
        f"{(after['rss'] - floor['rss']) / MIB:.1f} MiB | {loud['failed']:.0f} of {loud['count']:.0f} |",
        flush=True,
    )
    return right


async def main(arguments: argparse.Namespace) -> int:
    attacks = {**ATTACKS, HALF_OPEN: half_open(arguments.connections), **TLS_ATTACKS}
    names = arguments.attacks or list(attacks)
    identity = tls.localhost()
    secrets = {"key": identity.key.decode(), "chain": identity.chain.decode()}
    wrong = []
    print(f"{arguments.kind}, {arguments.seconds:g} s each\n\n{HEAD}", flush=True)
    with tempfile.NamedTemporaryFile() as file:
        roots = Path(file.name)
        file.write(tls.authority().roots)
        file.flush()
        for name in names:
            with_tls = name in TLS_ATTACKS
            target_of = attacked(
                arguments.kind,
                environ={**os.environ, "GRPC_VERBOSITY": "NONE"},
                options=_options(name),
                **(secrets if with_tls else {}),
            )
            with target_of as target, _places(target.pid):
                if not await _attack(target, name, attacks[name], arguments, roots if with_tls else None):
                    wrong.append(name)
    print(f"\n{len(names)} attacks; over {SUFFERS:g} x quiet, or failed calls: {', '.join(wrong) or 'none'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kind", choices=("uvgrpc", "stock"), default="uvgrpc")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("attacks", nargs="*", metavar="ATTACK")
    sys.exit(uvloop.run(main(parser.parse_args())))
