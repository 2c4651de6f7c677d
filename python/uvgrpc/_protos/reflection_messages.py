# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The messages of grpc.reflection.v1, as far as reflect() needs them.

They are made here, in a pool of their own, so that neither grpcio-reflection is needed nor its modules are in
the way. v1alpha's are the same on the wire.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.message_factory import GetMessageClass

_STRING = FieldDescriptorProto.TYPE_STRING
_BYTES = FieldDescriptorProto.TYPE_BYTES
_INT32 = FieldDescriptorProto.TYPE_INT32

_PACKAGE = "uvgrpc.reflection"

# Of each message its fields: name, number, type (a message's name is the type), whether it is repeated.
_MESSAGES: dict[str, list[tuple[str, int, Any, bool]]] = {
    # The three questions are a oneof, which says nothing on the wire.
    "Request": [
        ("file_by_filename", 3, _STRING, False),
        ("file_containing_symbol", 4, _STRING, False),
        ("list_services", 7, _STRING, False),
    ],
    "Response": [
        ("file_descriptor_response", 4, "Files", False),
        ("list_services_response", 6, "Services", False),
        ("error_response", 7, "Error", False),
    ],
    "Files": [("file_descriptor_proto", 1, _BYTES, True)],
    "Services": [("service", 1, "Service", True)],
    "Service": [("name", 1, _STRING, False)],
    "Error": [("error_code", 1, _INT32, False), ("error_message", 2, _STRING, False)],
}


def _message(name: str) -> DescriptorProto:
    message = DescriptorProto(name=name)
    for field, number, kind, repeated in _MESSAGES[name]:
        label = FieldDescriptorProto.LABEL_REPEATED if repeated else FieldDescriptorProto.LABEL_OPTIONAL
        added = message.field.add(name=field, number=number, label=label)
        if isinstance(kind, str):
            added.type = FieldDescriptorProto.TYPE_MESSAGE
            added.type_name = f".{_PACKAGE}.{kind}"
        else:
            added.type = kind
    return message


def _classes() -> dict[str, Any]:
    # proto2: an empty string counts as set, as the argument of list_services has to be.
    file = FileDescriptorProto(name="uvgrpc/reflection.proto", package=_PACKAGE, syntax="proto2")
    file.message_type.extend(map(_message, _MESSAGES))
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return {name: GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _MESSAGES}


# Any: they have no stubs.
_made: Any = _classes()
Request: Any = _made["Request"]
Response: Any = _made["Response"]
