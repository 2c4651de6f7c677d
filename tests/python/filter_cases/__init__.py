# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Calls through a channel's filters, and what came of them, for two processes to compare.

python -m filter_cases GROUP...: prints a line of JSON a case. With GRPC_TRACE set core's own
filters run; they are the oracle of ours. With UVGRPC_TEST_BACKEND=stock it is grpc.aio.
"""
