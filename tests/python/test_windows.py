# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""On Windows, which has no uvloop, install() does nothing. Simulated: the name of the system is changed."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from support import run_program

pytestmark = pytest.mark.uvgrpc_only

# What has looked at the name before stays as it is; and neither is there on Windows.
_WINDOWS = """
import sys
for name in [name for name in sys.modules if name.split(".")[0] in ("uvgrpc", "uvloop")]:
    del sys.modules[name]
sys.platform = "win32"
sys.modules["uvgrpc._core"] = sys.modules["uvloop"] = None
import warnings
import grpc
import uvgrpc
"""


def test_install_does_nothing_and_warns_once() -> None:
    outcome = run_program(
        _WINDOWS
        + """
before = grpc.aio._channel.Channel, grpc.aio._server.Server
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    uvgrpc.install()
    uvgrpc.install()
    from uvgrpc import install
    install()
assert (grpc.aio._channel.Channel, grpc.aio._server.Server) == before
assert not uvgrpc.is_installed()
assert not uvgrpc.is_active(object())
uvgrpc.uninstall()
print([(each.category.__name__, str(each.message)) for each in caught])
"""
    )
    said = "uvgrpc needs uvloop, which there is not for Windows: grpc.aio is used unchanged"
    assert (outcome.returncode, outcome.out, outcome.err) == (0, f"[('RuntimeWarning', '{said}')]\n", "")


def test_what_needs_uvloop_says_so() -> None:
    outcome = run_program(
        _WINDOWS
        + """
for use in (lambda: uvgrpc.server, lambda: uvgrpc.aio, lambda: uvgrpc.install(strict=True)):
    try:
        use()
    except Exception as error:
        print(type(error).__name__, error)
"""
    )
    assert (outcome.returncode, outcome.err) == (0, "")
    assert outcome.out.splitlines() == [
        "AttributeError module 'uvgrpc' has no attribute 'server' on Windows, where there is no uvloop",
        "AttributeError module 'uvgrpc' has no attribute 'aio' on Windows, where there is no uvloop",
        "RuntimeError uvgrpc needs uvloop, which there is not for Windows",
    ]


def test_nothing_is_compiled_there() -> None:
    """Of a source distribution, which says why."""
    text = (Path(__file__).resolve().parents[2] / "pyproject.toml").read_text()
    (override,) = tomllib.loads(text)["tool"]["scikit-build"]["overrides"]
    assert override["if"] == {"platform-system": "^win32$"}
    assert override["wheel"]["cmake"] is False
    assert "Windows" in override["messages"]["after-success"]
