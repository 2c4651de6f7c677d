# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""mypy-protobuf: a program typed with its stubs passes mypy --strict, and runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from generate import generate
from support import STOCK, environment

PROGRAM = Path(__file__).parent / "typed_library.py"
ROOT = PROGRAM.parents[2]


def test_a_typed_program_passes_mypy_strict(tmp_path: Path) -> None:
    # support and what it imports are the tests' own; here they are only in the way.
    stubs = generate(tmp_path / "stubs", "python", "mypy", "mypy_grpc")
    (stubs / "support.pyi").write_text("STOCK: bool\n")
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", str(PROGRAM)],
        cwd=ROOT,
        env={**os.environ, "MYPYPATH": str(stubs)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_typed_program_runs(child_path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", child_path)
    done = subprocess.run(
        [sys.executable, "-W", "error", str(PROGRAM)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    runs = 1 if STOCK else 2
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["10"] * runs, "")
