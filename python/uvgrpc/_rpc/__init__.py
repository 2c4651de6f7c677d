# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""uvgrpc's own API: messages in, messages out. Programs find it in `uvgrpc`."""
