# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What the kernel knows about a running process."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

TICK = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    cpu_seconds: float  # user and system, all threads
    switches: int  # context switches, all threads
    wakeups: int  # those of them that followed a wait

    def __sub__(self, earlier: Usage) -> Usage:
        return Usage(
            self.cpu_seconds - earlier.cpu_seconds,
            self.switches - earlier.switches,
            self.wakeups - earlier.wakeups,
        )

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.cpu_seconds + other.cpu_seconds,
            self.switches + other.switches,
            self.wakeups + other.wakeups,
        )

    def times(self, factor: float) -> Usage:
        return Usage(self.cpu_seconds * factor, round(self.switches * factor), round(self.wakeups * factor))


def usage(pid: int) -> Usage:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    cpu = (int(fields[11]) + int(fields[12])) * TICK
    wakeups = forced = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            status = (task / "status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # the thread ended meanwhile
        values = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        wakeups += int(values["voluntary_ctxt_switches"])
        forced += int(values["nonvoluntary_ctxt_switches"])
    return Usage(cpu, wakeups + forced, wakeups)


def threads(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
