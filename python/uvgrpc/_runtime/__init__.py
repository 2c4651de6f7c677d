# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What all of uvgrpc stands on and no API is part of: loops, forks, threads, warnings, records."""
