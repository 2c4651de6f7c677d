# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What is left of uvgrpc on Windows, where uvloop cannot be had: install() does nothing, once with a warning.

So a program that calls install() runs there, too, on grpc.aio as it is.
"""

from __future__ import annotations

import warnings

_warned = False


def install(*, strict: bool = False) -> None:
    """Does nothing, with one warning.

    Raises:
      RuntimeError: `strict`.
    """
    global _warned
    message = "uvgrpc needs uvloop, which there is not for Windows"
    if strict:
        raise RuntimeError(message)
    if not _warned:
        _warned = True
        warnings.warn(f"{message}: grpc.aio is used unchanged", RuntimeWarning, stacklevel=2)


def uninstall() -> None:
    """Does nothing."""


def is_installed() -> bool:
    """False."""
    return False


def is_active(target: object) -> bool:
    """False: everything is grpc.aio's own."""
    return False
