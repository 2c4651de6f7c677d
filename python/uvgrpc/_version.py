# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The version of this package; pyproject.toml reads it from here."""

__version__ = "0.1.0"
