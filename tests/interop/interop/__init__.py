# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The Python side of the interoperability tests, and how they run the Go side."""
