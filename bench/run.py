#!/usr/bin/env python3
# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Run the benchmark: python bench/run.py [SCENARIO ...] (see bench/README.md)."""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import os
import sys
import tempfile
from pathlib import Path

from harness import machine, peers, ratios, results, tools
from harness.errors import BenchError, NotHere, NotYet
from harness.peers import Peer
from harness.results import PeerResult, Run, Status
from harness.scenario import Bench, Scenario
from report import text_tables

SCENARIOS = (
    *("unary_server", "unary_server_real", "unary_client", "unary_client_real"),
    *("unary_server_10x10", "unary_server_1000x1", "unary_unpinned"),
    *("server_streaming", "server_streaming_real", "server_streaming_client", "server_streaming_client_real"),
    *("client_streaming", "client_streaming_client"),
    *(
        "bidi_pingpong",
        "bidi_pingpong_real",
        "bidi_pingpong_client",
        "bidi_pingpong_client_real",
        "bidi_flood",
    ),
    *("latency", "latency_real", "latency_client_real", "latency_at_rate", "fairness"),
    *("large_messages", "large_messages_8", "large_messages_client", "large_messages_client_8"),
    *(
        "tls_unary",
        "tls_large_messages",
        "tls_handshakes",
        "metadata",
        "metadata_client",
        "interceptors",
        "interceptors_client",
    ),
    *("sync_handlers", "loops_in_threads", "reuseport", "starlette", "ghz"),
    *("soak", "idle", "idle_connections", "strace", "imports"),
)
QUICK_PEERS = ["uvgrpc", "aio-uvloop"]
QUICK_SECONDS = 0.4


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure uvgrpc and its peers, interleaved round by round.")
    parser.add_argument(
        "scenarios", nargs="*", metavar="SCENARIO", help=f"of {', '.join(SCENARIOS)}; default all"
    )
    names = ", ".join(peer.name for peer in peers.PEERS if not peer.base)
    parser.add_argument(
        "--peers", nargs="+", metavar="PEER", help=f"of {names}; default all that a scenario is for"
    )
    parser.add_argument(
        "--base",
        type=Path,
        metavar="DIR",
        help=f"a folder with the package uvgrpc of another build, to compare with as peer {peers.BASE.name}",
    )
    parser.add_argument(
        "--other-side",
        choices=peers.OTHER_SIDES,
        default=peers.OTHER_SIDES[0],
        help="of the scenarios with a real connection (default %(default)s)",
    )
    parser.add_argument("--seconds", type=float, default=4.0, help="of load for a number (default 4)")
    parser.add_argument("--rounds", type=int, default=5, help="that medians are taken of (default 5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results here, for report.py")
    parser.add_argument("--quick", action="store_true", help="smoke run of some minutes; no numbers to quote")
    parser.add_argument(
        "--check",
        action="store_true",
        help="exit with 1 if uvgrpc misses a target, or a ratio is much worse than the committed one",
    )
    parser.add_argument(
        "--measured-core", type=int, help="of the measured process (default the first allowed)"
    )
    parser.add_argument("--load-core", type=int, help="of the other side (default the second allowed)")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.scenarios if name not in SCENARIOS]
    if unknown:
        parser.error(f"no scenario {', '.join(unknown)}; there are: {', '.join(SCENARIOS)}")
    if not 0 < arguments.seconds <= 60 or not 1 <= arguments.rounds <= 100:
        parser.error("--seconds must be in (0, 60], --rounds in [1, 100]")
    cores = sorted(os.sched_getaffinity(0))
    if arguments.measured_core is None:
        arguments.measured_core = cores[0]
    if arguments.load_core is None:
        arguments.load_core = next((core for core in cores if core != arguments.measured_core), cores[0])
    if not {arguments.measured_core, arguments.load_core} <= set(cores):
        parser.error(f"this process may run on the cores {cores} only")
    if arguments.base is None and peers.BASE.name in (arguments.peers or ()):
        parser.error(f"{peers.BASE.name} is the build that --base DIR names")
    if arguments.quick:
        arguments.seconds, arguments.rounds = QUICK_SECONDS, 1
        arguments.peers = arguments.peers or list(QUICK_PEERS)
    if arguments.base is not None:
        arguments.base = arguments.base.resolve()
        if arguments.peers and peers.BASE.name not in arguments.peers:
            arguments.peers.append(peers.BASE.name)
    return arguments


def load_scenarios(names: list[str]) -> list[Scenario]:
    loaded = []
    for name in names or SCENARIOS:
        scenario = importlib.import_module(f"scenarios.{name}").SCENARIO
        assert isinstance(scenario, Scenario)
        loaded.append(scenario)
    return loaded


def chosen_peers(scenario: Scenario, arguments: argparse.Namespace) -> list[Peer]:
    """In the order of their turns: another build of the project comes right after it."""
    names = list(scenario.peers)
    if arguments.base is not None:
        names.insert(names.index(peers.SUBJECT.name) + 1, peers.BASE.name)
    return [peers.peer_named(name) for name in names if not arguments.peers or name in arguments.peers]


def find_runners(
    scenarios: list[Scenario], arguments: argparse.Namespace
) -> tuple[dict[str, list[str]], dict[str, str]]:
    """What starts each peer, and for each that cannot be started the reason."""
    found: dict[str, list[str]] = {}
    missing: dict[str, str] = {}
    needed = {peer.name: peer for scenario in scenarios for peer in chosen_peers(scenario, arguments)}
    if any(scenario.real for scenario in scenarios):
        needed[arguments.other_side] = peers.peer_named(arguments.other_side)
    needed |= {name: peers.peer_named(name) for scenario in scenarios for name in scenario.needs}
    for peer in needed.values():
        try:
            found[peer.name] = peers.runner(peer, arguments.base)
        except NotHere as reason:
            missing[peer.name] = str(reason)
    return found, missing


def run_scenario(
    bench: Bench, scenario: Scenario, chosen: list[Peer], missing: dict[str, str], rounds: int
) -> dict[str, PeerResult]:
    outcome = {peer.name: results.new_peer_result() for peer in chosen}
    for peer in chosen:
        if peer.name in missing:
            give_up(outcome[peer.name], "not here", missing[peer.name])
    for number in range(1 if scenario.once else rounds):
        for peer in chosen if number % 2 == 0 else reversed(chosen):  # a drift of the machine favours nobody
            result = outcome[peer.name]
            if result["status"] != "measured":
                continue
            print(f"{scenario.name}: round {number + 1}, {peer.title}", file=sys.stderr, flush=True)
            try:
                measured = scenario.measure(bench, peer)
            except NotYet as reason:
                give_up(result, "not yet", str(reason))
            except NotHere as reason:
                give_up(result, "not here", str(reason))
            except BenchError as reason:
                print(f"{scenario.name}: {peer.title} failed: {reason}", file=sys.stderr, flush=True)
                give_up(result, "failed", str(reason))
            else:
                result["rounds"].append(measured.values)
                result["versions"], result["note"] = measured.versions, measured.note
    return outcome


def give_up(result: PeerResult, status: Status, reason: str) -> None:
    result["status"], result["reason"] = status, reason
    result["rounds"].clear()


def main() -> int:
    arguments = read_arguments()
    for name in arguments.peers or ():
        peers.peer_named(name)
    scenarios = load_scenarios(arguments.scenarios)
    committed = ratios.read()
    if arguments.check and committed is None:
        raise BenchError(f"--check compares with {ratios.COMMITTED.name}: report.py makes it of a full run")
    machine.allow_many_descriptors()
    for tool in ("h2load", "strace"):
        tools.need(tool)
    runners, missing = find_runners(scenarios, arguments)
    run: Run = {
        "schema": results.SCHEMA,
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "machine": machine.describe() | {"tools": tools.versions()},
        "options": {
            "seconds": arguments.seconds,
            "rounds": arguments.rounds,
            "quick": int(arguments.quick),
        },
        "other_side": peers.peer_named(arguments.other_side).title,
        "scenarios": {},
    }
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(
            seconds=arguments.seconds,
            quick=arguments.quick,
            measured_core=arguments.measured_core,
            load_core=arguments.load_core,
            canned=tools.build_canned(),
            stubs=tools.generate_stubs(),
            scratch=Path(scratch),
            other_side=peers.peer_named(arguments.other_side),
            runners=runners,
            base=arguments.base,
        )
        for scenario in scenarios:
            chosen = chosen_peers(scenario, arguments)
            outcome = run_scenario(bench, scenario, chosen, missing, arguments.rounds)
            run["scenarios"][scenario.name] = outcome
            print(text_tables(scenario, outcome), flush=True)
            if arguments.json:  # after every scenario: a long run that is stopped keeps what it has
                arguments.json.write_text(json.dumps(run, indent=1) + "\n")
    fell = ratios.fallen(ratios.collect(run), committed or {}) if arguments.check else []
    for line in fell:
        print(f"fell by more than {ratios.TOLERANCE:.0%}: {line}", flush=True)
    failed = any(
        result["status"] == "failed" for outcome in run["scenarios"].values() for result in outcome.values()
    )
    met = all(
        results.target_met(target, run["scenarios"][scenario.name])[0]
        for scenario in scenarios
        for target in scenario.targets
    )
    return 1 if failed or fell or (arguments.check and not met) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
