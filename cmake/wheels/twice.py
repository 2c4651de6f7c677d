# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Builds a wheel of HEAD in two clones, and compares their bytes: twice.py INTERPRETER PLATFORM

Both take the core from the cache; all else is compiled in each, without ccache.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from make import run
from platforms import ROOT


def build(clone: Path, interpreter: str, platform: str) -> Path:
    run("git", "clone", "--quiet", ROOT, clone)
    command = [sys.executable, clone / "cmake/wheels/make.py", "--no-try"]
    environment = {**os.environ, "CCACHE_DISABLE": "1"}
    subprocess.run([*command, "--pythons", interpreter, "--platforms", platform], env=environment, check=True)
    (wheel,) = (clone / "dist").glob("*.whl")
    return wheel


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def main() -> None:
    interpreter, platform = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="uvgrpc-twice-") as temporary:
        folders = [Path(temporary) / name for name in ("one", "another/in/a/longer/path")]
        wheels = [build(folder, interpreter, platform) for folder in folders]
        for wheel in wheels:
            print(hashlib.sha256(wheel.read_bytes()).hexdigest(), wheel)
        if wheels[0].read_bytes() == wheels[1].read_bytes():
            print("-- the same bytes")
            return
        first, second = map(contents, wheels)
        differing = [name for name in first.keys() | second.keys() if first.get(name) != second.get(name)]
        raise SystemExit(f"error: they differ: {', '.join(sorted(differing)) or 'as archives only'}")


if __name__ == "__main__":
    main()
