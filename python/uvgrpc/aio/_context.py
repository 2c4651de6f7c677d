# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The context of an RPC that is served."""

from __future__ import annotations

from typing import NamedTuple

import grpc.aio

from uvgrpc import _core
from uvgrpc.aio import _abstract
from uvgrpc.aio._options import compression_entry
from uvgrpc.aio._status import status_number


class Metadatum(NamedTuple):
    """An entry of an RPC's metadata. The value is bytes under a key that ends in -bin."""

    key: str
    value: str | bytes


# The stubs of grpc.aio are narrower than grpc.aio: they forbid int codes, for one.
class ServicerContext(_core.ServicerContext, _abstract.ServicerContext):  # type: ignore[misc]
    """What a handler knows of its RPC, and how it shapes the answer.

    Programs may set attributes of their own on it.
    """

    __slots__ = ()

    _metadatum = Metadatum
    _abort_error = grpc.aio.AbortError
    _usage_error = grpc.aio.UsageError
    _end_of_stream = grpc.aio.EOF
    _status_number_of = staticmethod(status_number)
    _compression_entry = staticmethod(compression_entry)
