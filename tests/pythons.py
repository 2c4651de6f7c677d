# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""`make test-python` on several interpreters, and a table: pythons.py INTERPRETER...

Those that are not there are left out, with a line that says so. The logs are in build/pythons. The exit
code is 1 if a test fails, or if there is no interpreter at all.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOGS = ROOT / "build" / "pythons"
# pytest's closing line, as in "2 failed, 1649 passed, 3 skipped in 700.12s (0:11:40)".
CLOSING = re.compile(r"^=* ?((?:\d+ \w+(?:, )?)+) in [\d.]+s\b")
COUNTED = ("passed", "failed", "error", "skipped")


@dataclass
class Run:
    version: str
    seconds: float = 0.0
    status: int = 0
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTED, 0))

    @property
    def is_good(self) -> bool:
        return self.status == 0 and self.counts["passed"] > 0

    def read(self, log: Path) -> None:
        """Adds up the closing lines: test-python runs pytest twice."""
        for line in log.read_text(errors="replace").splitlines():
            if found := CLOSING.match(line.strip()):
                for number, word in re.findall(r"(\d+) (\w+)", found[1]):
                    word = "error" if word == "errors" else word
                    if word in self.counts:
                        self.counts[word] += int(number)


def version_of(interpreter: str) -> str | None:
    """Its version; None if it cannot be run."""
    code = "import sys; print(sys.version.split()[0] + sys.abiflags)"
    try:
        answer = subprocess.run([interpreter, "-c", code], capture_output=True, text=True)
    except OSError:
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def run(interpreter: str, version: str) -> Run:
    result = Run(version)
    log = LOGS / f"{version}.log"
    print(f"== CPython {version} (log: {log.relative_to(ROOT)})", flush=True)
    start = time.monotonic()
    with log.open("w") as file:
        command = ["make", "--no-print-directory", "test-python", f"PYTHON={interpreter}"]
        result.status = subprocess.run(command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT).returncode
    result.seconds = time.monotonic() - start
    result.read(log)
    if not result.is_good:
        print("".join(log.read_text(errors="replace").splitlines(keepends=True)[-30:]))
    return result


def table(runs: list[Run]) -> str:
    lines = ["| CPython | passed | failed | errors | skipped | minutes |", "| --- " + "| ---: " * 5 + "|"]
    for one in runs:
        cells = [one.version, *(f"{one.counts[name]:,}" for name in COUNTED), f"{one.seconds / 60:.1f}"]
        remark = "" if one.is_good else f" ended with {one.status}"
        lines.append("| " + " | ".join(cells) + " |" + remark)
    return "\n".join(lines)


def main() -> None:
    LOGS.mkdir(parents=True, exist_ok=True)
    runs = []
    for interpreter in sys.argv[1:]:
        version = version_of(interpreter)
        if version is None:
            print(f"-- {interpreter}: not here")
            continue
        runs.append(run(interpreter, version))
    if not runs:
        raise SystemExit("error: none of the interpreters is here")
    print(table(runs))
    raise SystemExit(not all(one.is_good for one in runs))


if __name__ == "__main__":
    main()
