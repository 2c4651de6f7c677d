# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Where what takes long to build is kept, once for a user (docs/cli.md)."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    if chosen := os.environ.get("UVGRPC_CACHE_DIR"):
        return Path(chosen).expanduser().resolve()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "uvgrpc"
