# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Status codes and connectivity states between their numbers and grpc's enums."""

from __future__ import annotations

from typing import Any

import grpc

STATUS_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}
CONNECTIVITY: dict[int, grpc.ChannelConnectivity] = {
    state.value[0]: state for state in grpc.ChannelConnectivity
}


def status_code(number: int) -> grpc.StatusCode:
    """The enum member for a number from the wire; UNKNOWN for one that is not defined."""
    return STATUS_CODES.get(number, grpc.StatusCode.UNKNOWN)


def status_number(code: Any) -> int:
    """The number of a status code given as grpc.StatusCode or as an int.

    Raises:
      TypeError: it is neither.
      ValueError: no status code has that number.
    """
    if isinstance(code, grpc.StatusCode):
        number: int = code.value[0]
        return number
    if isinstance(code, bool) or not isinstance(code, int):
        raise TypeError(f"a status code must be a grpc.StatusCode or an int, got {code!r}")
    if code not in STATUS_CODES:
        raise ValueError(f"Invalid status code: {code}")
    return code
