# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Runs protoc with protoc-gen-uvgrpc, for the tests of generated code."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from support import HERE

PROTOS = HERE.parent / "protos" / "codegen"
TYPED = HERE.parent / "typing" / "generated"

GRPC_TOOLS = (sys.executable, "-m", "grpc_tools.protoc")

# As the script that is installed, but for the environment in which tests find the package.
_PLUGIN = f"""#!{sys.executable}
from uvgrpc.codegen.plugin import main
main()
"""


def plugin(folder: Path) -> str:
    """Puts the plugin into a folder, and gives the option by which protoc finds it."""
    script = folder / "protoc-gen-uvgrpc"
    script.write_text(_PLUGIN)
    script.chmod(0o755)
    return f"--plugin=protoc-gen-uvgrpc={script}"


def own_files() -> list[str]:
    """The .proto files of tests/protos/codegen."""
    return sorted(str(file.relative_to(PROTOS)) for file in PROTOS.rglob("*.proto"))


def protoc(
    into: Path,
    files: Iterable[str],
    *,
    outputs: Sequence[str] = ("uvgrpc",),
    options: Sequence[str] = (f"-I{PROTOS}",),
    compiler: Sequence[str] = GRPC_TOOLS,
) -> subprocess.CompletedProcess[str]:
    """Generates files.

    Args:
      into: the folder for them.
      files: .proto files.
      outputs: the generators.
      options: more for protoc.
      compiler: the command.
    """
    return subprocess.run(
        [
            *compiler,
            plugin(into),
            *options,
            *(f"--{output}_out={into}" for output in outputs),
            *files,
        ],
        capture_output=True,
        text=True,
        check=False,
    )


def generate(into: Path, *outputs: str) -> None:
    """Generates what the generators make of tests/protos/codegen."""
    done = protoc(into, own_files(), outputs=outputs)
    assert (done.returncode, done.stderr) == (0, "")


def run_python(code: str, *path: Path) -> subprocess.CompletedProcess[str]:
    """Runs Python with more folders to import from, and warnings as errors."""
    places = [*map(str, path), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places)},
        capture_output=True,
        text=True,
        check=False,
    )
