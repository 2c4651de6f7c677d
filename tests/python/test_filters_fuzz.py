# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Random calls come to the same end with our filters and with core's.

UVGRPC_FUZZ_SEED is the first seed.
"""

from __future__ import annotations

import os
import time

import pytest
from filter_cases.fuzz import differences

pytestmark = pytest.mark.uvgrpc_only

SEED = int(os.environ.get("UVGRPC_FUZZ_SEED", time.time_ns() % 10**9))


@pytest.mark.slow
def test_random_calls_end_as_they_do_with_cores_filters() -> None:
    found = differences(SEED, 150)
    assert found == [], f"UVGRPC_FUZZ_SEED={SEED}"
