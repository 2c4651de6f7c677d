# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What grpcio-tools generates from tests/protos/interop.proto, made anew by each test run."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

_PROTOS = Path(__file__).parents[2] / "protos"


def _generate() -> tuple[Any, Any]:
    with tempfile.TemporaryDirectory() as folder:
        outputs = [f"--{kind}_out={folder}" for kind in ("python", "grpc_python")]
        command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{_PROTOS}", *outputs, "interop.proto"]
        subprocess.run(command, check=True, timeout=60)
        sys.path.insert(0, folder)
        try:
            return tuple(importlib.import_module(f"interop_{kind}") for kind in ("pb2", "pb2_grpc"))
        finally:
            sys.path.remove(folder)


pb2, pb2_grpc = _generate()
