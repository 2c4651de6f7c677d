# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What the scenarios share: child processes, their CPU, load generators, peers."""
