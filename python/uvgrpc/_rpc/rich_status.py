# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""google.rpc.Status in trailing metadata: messages that go with a status (gRFC L44)."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.message import Message

KEY = "grpc-status-details-bin"


class HoldsPool(Protocol):
    """What has a descriptor pool; that itself cannot be referred to weakly."""

    descriptors: DescriptorPool


# Where to look for the types of details: besides the default pool, those of proto() and reflect().
_pools: weakref.WeakSet[HoldsPool] = weakref.WeakSet()


def add_pool(holder: HoldsPool) -> None:
    """Has details of the types in a pool decoded, as long as its holder is there. Held weakly."""
    _pools.add(holder)


def packed(number: int, message: str, details: Sequence[Message]) -> bytes:
    """The metadatum's value.

    Raises:
      TypeError: a detail is not a protobuf message.
    """
    from google.protobuf.message import Message
    from google.rpc.status_pb2 import Status

    status = Status(code=number, message=message)
    for detail in details:
        if not isinstance(detail, Message):
            raise TypeError(f"the details of a status must be protobuf messages, got {detail!r}")
        if detail.DESCRIPTOR.full_name == "google.protobuf.Any":
            status.details.add().MergeFromString(detail.SerializeToString())
        else:
            status.details.add().Pack(detail)
    value: bytes = status.SerializeToString()
    return value


def unpacked(value: bytes) -> Iterable[Message]:
    """The messages in the metadatum's value; none if it is no google.rpc.Status."""
    from google.protobuf.message import DecodeError
    from google.rpc.status_pb2 import Status

    # google.rpc's own details are known whether or not the program has imported them.
    import_module("google.rpc.error_details_pb2")
    try:
        status = Status.FromString(value)
    except DecodeError:
        return ()
    return [_message_of(detail) for detail in status.details]


def _message_of(detail: Any) -> Message:
    """What an Any holds; itself if that is of no known type, or cannot be read."""
    from google.protobuf import descriptor_pool
    from google.protobuf.message import DecodeError
    from google.protobuf.message_factory import GetMessageClass

    name = detail.TypeName()
    for pool in (descriptor_pool.Default(), *(holder.descriptors for holder in list(_pools))):
        try:
            message: Message = GetMessageClass(pool.FindMessageTypeByName(name))()
            message.ParseFromString(detail.value)
        except (KeyError, DecodeError):
            continue
        return message
    kept: Message = detail
    return kept
