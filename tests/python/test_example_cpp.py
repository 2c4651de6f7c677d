# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""examples/cpp-libuv, which tests/cpp/package builds and runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.uvgrpc_only

_ROOT = Path(__file__).parents[2]


def test_what_its_readme_shows_is_what_ctest_wants() -> None:
    page = (_ROOT / "examples" / "cpp-libuv" / "README.md").read_text()
    shown = re.search(r"^```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert shown is not None
    assert f"[[\n{shown[1]}]]" in (_ROOT / "tests" / "cpp" / "package" / "check.cmake").read_text()
