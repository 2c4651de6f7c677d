# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Peers that mean harm: attacks, a server to attack, and what it suffers (python -m hostile)."""
