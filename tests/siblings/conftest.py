# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""uvgrpc installed around every test of a sibling, and programs that use one."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
pytest.register_assert_rewrite("library")

import support  # noqa: E402
from generate import generate  # noqa: E402

import uvgrpc  # noqa: E402

# Made before any test module is imported: they import what is generated.
_generated = tempfile.TemporaryDirectory(prefix="uvgrpc-siblings-")
GENERATED = generate(Path(_generated.name), "python", "grpc_python")
sys.path.insert(0, str(GENERATED))


def pytest_unconfigure() -> None:
    _generated.cleanup()


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    """uvgrpc under grpc.aio; not where the tests run on grpc.aio as it is."""
    if support.STOCK:
        yield
        return
    uvgrpc.install(strict=True)
    yield
    uvgrpc.uninstall()


@pytest.fixture(scope="session")
def child_path() -> str:
    """PYTHONPATH of a process that imports what the tests of this directory do."""
    inherited = filter(None, [os.environ.get("PYTHONPATH")])
    return os.pathsep.join([str(HERE), str(GENERATED), str(support.HERE), *inherited])


Program = Callable[[str], support.Outcome]


@pytest.fixture
def program(child_path: str, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Runs a program that patches what its process shares, with warnings as errors.

    It calls install() itself: when, is often the point.
    """
    monkeypatch.setenv("PYTHONPATH", child_path)
    return lambda source: support.run_program("from library import *\n" + source, limit=60.0)
