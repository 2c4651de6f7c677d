# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The comments of a .proto file."""

from __future__ import annotations

import textwrap

from google.protobuf.descriptor_pb2 import FileDescriptorProto, ServiceDescriptorProto

_SERVICES = FileDescriptorProto.SERVICE_FIELD_NUMBER
_METHODS = ServiceDescriptorProto.METHOD_FIELD_NUMBER


class Comments:
    """The comments above services and methods; those behind them where there are none above."""

    def __init__(self, file: FileDescriptorProto) -> None:
        self._comments = {
            tuple(location.path): location.leading_comments or location.trailing_comments
            for location in file.source_code_info.location
        }

    def of_service(self, service: int) -> str:
        """That of a service, by its place in the file."""
        return self._text(_SERVICES, service)

    def of_method(self, service: int, method: int) -> str:
        """That of a method, by its place in its service."""
        return self._text(_SERVICES, service, _METHODS, method)

    def _text(self, *path: int) -> str:
        return textwrap.dedent(self._comments.get(path, "")).strip()
