# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""`python -m uvgrpc.codegen`, which is the plugin."""

from uvgrpc.codegen.plugin import main

main()
