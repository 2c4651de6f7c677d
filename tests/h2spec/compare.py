# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""h2spec against a server of uvgrpc and one of grpc.aio on asyncio, and what they differ in.

    python tests/h2spec/compare.py [--tls] [--timeout SECONDS]

Prints a table of the sections of RFC 7540 and 7541 and the cases that either server fails.
Ends with 1 when uvgrpc fails a case that stock passes, also when that case is tried again.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
BUILD = HERE.parents[1] / "build" / "h2spec"
SERVERS = ("uvgrpc", "stock")
# One more than that and a case is not a matter of chance.
TRIES = 3
LIMIT = 900.0


@dataclass(frozen=True)
class Case:
    """A test of h2spec's: its section, as in "http2/5.1.2", and what it says."""

    section: str
    number: int
    title: str

    @property
    def name(self) -> str:
        return f"{self.section}/{self.number}"


def build() -> Path:
    """h2spec, of the version that go.mod pins."""
    BUILD.mkdir(parents=True, exist_ok=True)
    binary = BUILD / "h2spec"
    command = ["go", "build", "-mod=readonly", "-o", str(binary), "github.com/summerwind/h2spec/cmd/h2spec"]
    subprocess.run(command, cwd=HERE, check=True)
    return binary


@contextlib.contextmanager
def serving(kind: str, *, tls: bool) -> Iterator[int]:
    """A server in a process of its own; gives its port."""
    command = [sys.executable, str(HERE / "server.py"), kind, *(["tls"] if tls else [])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            # The end of its input tells it to stop.
            process.stdin.close()
            if process.wait(30) != 0:
                sys.exit(f"the server of {kind} ended with {process.returncode}")


def ask(h2spec: Path, port: int, timeout: int, *, tls: bool, only: str | None = None) -> dict[Case, bool]:
    """Runs h2spec; gives which cases the server at `port` passed."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        command = [
            *(str(h2spec), "--strict", "-h", "127.0.0.1", "-p", str(port), "-P", "/test.Service/Echo"),
            *("-o", str(timeout), "-j", str(report), *(["-t", "-k"] if tls else [])),
            *([only] if only else []),
        ]
        # It ends with 1 when a case fails.
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
        if not report.exists():
            sys.exit(f"h2spec made no report:\n{done.stdout[-1000:]}{done.stderr[-1000:]}")
        suites = ElementTree.parse(report).getroot()
    found = {}
    for suite in suites.iter("testsuite"):
        for number, case in enumerate(suite.iter("testcase"), 1):
            if case.find("skipped") is None:
                key = Case(case.attrib["package"], number, case.attrib["classname"])
                found[key] = case.find("failure") is None and case.find("error") is None
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tls", action="store_true", help="over TLS")
    parser.add_argument("--timeout", type=int, default=2, help="seconds that a case waits for an answer")
    arguments = parser.parse_args()
    h2spec = build()
    with contextlib.ExitStack() as stack:
        ports = {kind: stack.enter_context(serving(kind, tls=arguments.tls)) for kind in SERVERS}
        print("h2spec against both, which takes 3 to 5 minutes ...", file=sys.stderr, flush=True)
        # Mostly it waits.
        with ThreadPoolExecutor(len(SERVERS)) as pool:
            asked = [
                pool.submit(ask, h2spec, port, arguments.timeout, tls=arguments.tls)
                for port in ports.values()
            ]
            ours, theirs = (one.result() for one in asked)
        # A case that is a matter of time is one that passes when it is tried again.
        for case in [case for case, passed in ours.items() if not passed and theirs.get(case)]:
            for _ in range(TRIES):
                again = ask(h2spec, ports["uvgrpc"], 2 * arguments.timeout, tls=arguments.tls, only=case.name)
                if again and all(again.values()):
                    ours[case] = True
                    break
    return report(ours, theirs)


def report(ours: dict[Case, bool], theirs: dict[Case, bool]) -> int:
    sections = dict.fromkeys(case.section for case in ours)
    print("| section | cases | uvgrpc passes | stock passes |\n| --- | --- | --- | --- |")
    for section in sections:
        own = [passed for case, passed in ours.items() if case.section == section]
        other = [passed for case, passed in theirs.items() if case.section == section]
        print(f"| {section} | {len(own)} | {sum(own)} | {sum(other)} |")
    print(f"| all | {len(ours)} | {sum(ours.values())} | {sum(theirs.values())} |")
    both = [case.name for case, passed in ours.items() if not passed and not theirs.get(case)]
    print(f"\nfail on both ({len(both)}): {', '.join(both)}")
    for case, passed in ours.items():
        if passed != theirs.get(case):
            print(f"fails on {'stock' if passed else 'uvgrpc'} only: {case.name}: {case.title}")
    if set(ours) != set(theirs) or not ours:
        print("\nh2spec ran other cases on the one than on the other")
        return 1
    worse = [case.name for case, passed in ours.items() if theirs[case] and not passed]
    print(f"\nworse than stock: {', '.join(worse) or 'none'}")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
