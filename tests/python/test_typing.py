# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The types that programs see."""

from __future__ import annotations

import subprocess
import sys

import pytest
from support import HERE

ROOT = HERE.parent.parent

pytestmark = pytest.mark.uvgrpc_only


def test_a_typed_program_passes_mypy_strict() -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "tests/typing/program.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
