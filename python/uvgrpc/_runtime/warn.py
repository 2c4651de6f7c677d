# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Warnings that point at the program's own line."""

from __future__ import annotations

import sys
import warnings

_LIBRARIES = ("uvgrpc", "grpc")


def warn(message: str) -> None:
    """Issues a RuntimeWarning for the nearest frame that is not uvgrpc's or grpcio's."""
    depth = 1
    frame = sys._getframe(depth)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] in _LIBRARIES:
        frame = frame.f_back
        depth += 1
    warnings.warn(message, RuntimeWarning, stacklevel=depth + 1)
