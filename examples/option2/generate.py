# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Make helloworld_pb2.py and helloworld_pb2_grpc.py from helloworld.proto, beside it."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def generate() -> None:
    try:
        from grpc_tools import protoc
    except ImportError:
        sys.exit("generate.py needs grpcio-tools: pip install grpcio-tools")
    outputs = [f"--{kind}_out={HERE}" for kind in ("python", "pyi", "grpc_python")]
    if protoc.main(["protoc", f"-I{HERE}", *outputs, str(HERE / "helloworld.proto")]) != 0:
        sys.exit("generate.py: protoc failed")


if __name__ == "__main__":
    generate()
