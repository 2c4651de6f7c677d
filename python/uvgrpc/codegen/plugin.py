# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The plugin: protoc's request on standard input, the response on standard output."""

from __future__ import annotations

import re
import sys

from google.protobuf import descriptor_pb2
from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse

from uvgrpc.codegen.messages import Messages
from uvgrpc.codegen.module import generate
from uvgrpc.codegen.names import output_file


def _editions() -> list[int]:
    """Those that protobuf has a name for. None of them has changed what services are."""
    return [
        number
        for name, number in descriptor_pb2.Edition.items()
        if re.fullmatch("EDITION_([0-9]{4}|PROTO2|PROTO3)", name)
    ]


def main() -> None:
    """Answers protoc."""
    request = CodeGeneratorRequest.FromString(sys.stdin.buffer.read())
    sys.stdout.buffer.write(respond(request).SerializeToString())


def respond(request: CodeGeneratorRequest) -> CodeGeneratorResponse:
    """The files for a request, or what is wrong with it."""
    response = CodeGeneratorResponse()
    response.supported_features = CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL
    # Which a protobuf before 5.27 does not know.
    if hasattr(response, "maximum_edition"):
        response.supported_features |= CodeGeneratorResponse.FEATURE_SUPPORTS_EDITIONS
        response.minimum_edition = min(_editions())
        response.maximum_edition = max(_editions())
    if request.parameter:
        response.error = f"protoc-gen-uvgrpc takes no options, but was given {request.parameter!r}"
        return response
    messages = Messages(request.proto_file)
    files = {file.name: file for file in request.proto_file}
    for name in request.file_to_generate:
        if files[name].service:
            response.file.add(name=output_file(name), content=generate(files[name], messages))
    return response
