# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The tutorial, followed word by word."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

import uvgrpc

pytestmark = pytest.mark.uvgrpc_only

_PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"
_BLOCK = re.compile(r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_BLOCKS = [match.groups() for match in _BLOCK.finditer(_PAGE.read_text())]
_PLUGIN = "protoc-gen-uvgrpc"
_CONSOLE = "".join(text for kind, title, text in _BLOCKS if kind == "console")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the page's files, and what they are generated to."""
    folder = tmp_path_factory.mktemp("tutorial")
    for _, title, text in _BLOCKS:
        if title:
            (folder / title).write_text(text)
    if shutil.which(_PLUGIN, path=_environment(folder)["PATH"]) is None:
        # The package is used in place, not installed.
        own = folder / _PLUGIN
        own.write_text(f"#!/bin/sh\nexec {sys.executable} -m uvgrpc.codegen\n")
        own.chmod(0o755)
    _run(folder, _command("grpc_tools.protoc"))
    return folder


def _command(part: str) -> list[str]:
    """The one command of the page with this in it."""
    (line,) = [line for line in _CONSOLE.splitlines() if line.startswith("$ python") and part in line]
    return [sys.executable, *line.removeprefix("$ python").split()]


def _expected(part: str) -> str:
    """What the page says that this command prints."""
    lines = _CONSOLE.splitlines(keepends=True)
    (at,) = [at for at, line in enumerate(lines) if line.startswith("$ python") and part in line]
    shown = lines[at + 1 :]
    ends = [number for number, line in enumerate(shown) if line.startswith("$ ")]
    return "".join(shown[: ends[0]] if ends else shown)


def _environment(folder: Path) -> dict[str, str]:
    package = Path(uvgrpc.__file__).parents[1]
    paths = [str(package), *filter(None, [os.environ.get("PYTHONPATH")])]
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"], str(folder)])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PATH": programs}


def _run(folder: Path, command: list[str]) -> str:
    done = subprocess.run(
        command, cwd=folder, env=_environment(folder), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextlib.contextmanager
def _server(folder: Path, address: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process of the service. Gives it and its port; it may be ended before."""
    command = [sys.executable, "server.py", address]
    with subprocess.Popen(
        command, cwd=folder, env=_environment(folder), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            word, port = process.stdout.readline().split()
            assert word == "port"
            yield process, int(port)
        finally:
            process.terminate()
            assert process.wait(30) == 0


def test_it_needs_nothing_generated(folder: Path) -> None:
    assert _run(folder, _command("try_it.py")) == _expected("try_it.py")


def test_client_and_server(folder: Path) -> None:
    with _server(folder, "localhost:0") as (_, port):
        command = [
            f"localhost:{port}" if part == "localhost:50051" else part
            for part in _command("client.py localhost")
        ]
        assert _run(folder, command) == _expected("client.py localhost")


def test_its_tests_pass(folder: Path) -> None:
    installed = metadata.entry_points(group="pytest11", name="uvgrpc_pytest")
    plugin = [] if installed else ["-p", "uvgrpc_pytest"]
    out = _run(folder, [*_command("pytest"), "-p", "no:cacheprovider", *plugin])
    assert "2 passed" in out


def test_its_types_are_right(folder: Path) -> None:
    assert "Success" in _run(folder, _command("mypy"))


def test_processes_share_a_port_and_go_one_by_one(folder: Path) -> None:
    with _server(folder, "127.0.0.1:0") as (first, port):
        for _ in range(2):
            with _server(folder, f"127.0.0.1:{port}") as (_, same):
                assert same == port
                _run(folder, [sys.executable, "client.py", f"127.0.0.1:{port}", "Ada"])
        first.send_signal(signal.SIGTERM)
        assert first.wait(30) == 0
