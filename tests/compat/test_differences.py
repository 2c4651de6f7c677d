# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""docs/differences.md names every difference that the tests know, and no test that is not."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.uvgrpc_only

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "differences.md"


def _tests(folder: str) -> tuple[set[str], set[str]]:
    """The names of all tests below a folder, and of those that grpc.aio fails."""
    every, defects = set(), set()
    for path in (ROOT / folder).rglob("test_*.py"):
        tree = ast.parse(path.read_text())
        # Marks that have a name of their own.
        marks = {
            target.id
            for node in tree.body
            if isinstance(node, ast.Assign) and "stock_defect" in ast.unparse(node.value)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in tree.body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if not node.name.startswith("test_"):
                continue
            every.add(f"{path.stem}.{node.name}")
            for decorator in node.decorator_list:
                names = {one.id for one in ast.walk(decorator) if isinstance(one, ast.Name)}
                if "stock_defect" in ast.unparse(decorator) or names & marks:
                    defects.add(f"{path.stem}.{node.name}")
    return every, defects


def _named() -> list[str]:
    return re.findall(r"`(test_\w+\.test_\w+)`", DOCUMENT.read_text())


FOLDERS = ("tests/compat", "tests/python", "tests/interop")


def test_every_test_that_grpc_aio_fails_is_a_difference_with_a_reason() -> None:
    defects = set().union(*(_tests(folder)[1] for folder in FOLDERS))
    assert len(defects) > 20
    assert sorted(defects - set(_named())) == []


def test_every_test_that_is_named_is_there() -> None:
    every = set().union(*(_tests(folder)[0] for folder in (*FOLDERS, "tests/siblings")))
    assert sorted(set(_named()) - every) == []


def test_every_row_says_what_and_why() -> None:
    rows = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| ")]
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split(" | ")]
        assert all(cells), row


def test_the_defects_that_were_promised_are_there() -> None:
    text = DOCUMENT.read_text()
    for number in (5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 36, 37):
        assert re.search(rf"^\| {number} \|", text, re.MULTILINE), number
