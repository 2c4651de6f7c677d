# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Code from protos/library.proto, as each sibling's compiler makes it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROTOS = Path(__file__).parent / "protos"


def generate(directory: Path, *plugins: str) -> Path:
    """Runs protoc.

    Args:
      directory: where the files are put; made if need be.
      plugins: names of protoc's outputs, and their parameters after a colon.

    Returns:
      `directory`.
    """
    directory.mkdir(parents=True, exist_ok=True)
    outputs = []
    for plugin in plugins:
        name, _, parameters = plugin.partition(":")
        outputs.append(
            f"--{name}_out={parameters}:{directory}" if parameters else f"--{name}_out={directory}"
        )
    # protoc finds its plugins beside the interpreter.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTOS}", *outputs, "library.proto"],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return directory
