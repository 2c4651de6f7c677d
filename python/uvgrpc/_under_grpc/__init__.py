# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What sits under grpcio: the only modules that touch its private ones."""
