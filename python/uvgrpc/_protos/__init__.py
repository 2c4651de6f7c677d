# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""From a .proto, or from a server, to calls without generated files.

`import uvgrpc` does not come here; uvgrpc.proto and uvgrpc.reflect do. Needs protobuf, and for .proto files
grpcio-tools.
"""
