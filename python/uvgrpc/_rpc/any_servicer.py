# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What stands for `self` where pyright compares a servicer's method with its base's."""

from typing import Any

# What mypy takes for true, and nothing else does: its documentation has it.
MYPY = False

if MYPY:

    class AnyServicer:
        """Fits nothing: mypy binds methods before it compares them, which leaves no `self`."""

else:

    class AnyServicer(Any):
        """Fits the `self` of any class."""
