# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What the API raises."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

from uvgrpc import _core
from uvgrpc._rpc import rich_status

if TYPE_CHECKING:
    from google.protobuf.message import Message

_NO_METADATA: tuple[tuple[str, str | bytes], ...] = ()


class EOF(Exception):
    """There are no more messages: raised by receive() after the last one."""


class Details(tuple["Message", ...]):
    """The messages that go with a status. Called, as on grpc.aio's errors, it gives the status's text."""

    _text: str

    def __call__(self) -> str:
        return self._text


class RpcError(grpc.aio.AioRpcError):
    """A status other than OK: what a call ended with, or what a handler wants its RPC to end with.

    A handler that raises one ends its RPC with that status. One that came from a call the
    handler made does not do that by itself, it is an error like any other: to pass it on, raise
    another, made from it.

    Args:
      code: the status code.
      message: the status's text.
      details: protobuf messages that tell more, as google.rpc.Status has them (gRFC L44).
      trailing_metadata: to send with the status.

    Raises:
      TypeError: the code is not a grpc.StatusCode, a detail is not a protobuf message, or metadata is
        not made of pairs.
      ValueError: the code is OK, or metadata cannot be sent.
    """

    # What the server is to send for it: number, text and metadata. None for an error of a call.
    _status_to_send: tuple[int, str, tuple[tuple[str, str | bytes], ...]] | None

    def __init__(
        self,
        code: grpc.StatusCode,
        message: str = "",
        *,
        details: Sequence[Message] = (),
        trailing_metadata: Iterable[tuple[str, str | bytes]] = _NO_METADATA,
    ) -> None:
        if not isinstance(code, grpc.StatusCode):
            raise TypeError(f"the code of an RpcError must be a grpc.StatusCode, got {code!r}")
        if code is grpc.StatusCode.OK:
            raise ValueError("an RpcError with the code OK: to end with OK, return")
        number: int = code.value[0]
        pairs = _core.checked_trailing_metadata(trailing_metadata)
        if details:
            pairs = (*pairs, (rich_status.KEY, rich_status.packed(number, message, details)))
        self._set(code, message, grpc.aio.Metadata(), grpc.aio.Metadata.from_tuple(pairs), None)
        self._status_to_send = (number, message, pairs)

    def _set(
        self,
        code: grpc.StatusCode,
        message: str,
        initial_metadata: grpc.aio.Metadata,
        trailing_metadata: grpc.aio.Metadata,
        debug_error_string: str | None,
    ) -> None:
        super().__init__(code, initial_metadata, trailing_metadata, message, debug_error_string)
        self._unpacked: Details | None = None

    @classmethod
    def _of_call(
        cls,
        code: grpc.StatusCode,
        message: str,
        initial_metadata: grpc.aio.Metadata,
        trailing_metadata: grpc.aio.Metadata,
        debug_error_string: str | None,
    ) -> RpcError:
        """The error for the status that a call has ended with."""
        error = cls.__new__(cls)
        error._set(code, message, initial_metadata, trailing_metadata, debug_error_string)
        error._status_to_send = None
        return error

    @property
    def message(self) -> str:
        """The status's text."""
        return super().details() or ""

    @property
    def details(self) -> Details:
        """The messages that the status came with; none if it came without, or with what cannot be read.

        One of a type that this process does not know stays a google.protobuf.Any. Called,
        details() is the status's text, as on grpc.aio's errors.
        """
        if self._unpacked is None:
            packed = self.trailing_metadata().get(rich_status.KEY)
            messages = rich_status.unpacked(packed) if isinstance(packed, bytes) else ()
            self._unpacked = Details(messages)
            self._unpacked._text = self.message
        return self._unpacked

    def __reduce__(self) -> tuple[Any, ...]:
        arguments = (
            self.code(),
            self.message,
            tuple(self.initial_metadata()),
            tuple(self.trailing_metadata()),
            self.debug_error_string(),
            self._status_to_send,
        )
        return _restored, (type(self), arguments)


def _restored(cls: type[RpcError], arguments: tuple[Any, ...]) -> RpcError:
    """One that was pickled."""
    code, message, initial, trailing, debug, status_to_send = arguments
    from_tuple = grpc.aio.Metadata.from_tuple
    error = cls._of_call(code, message, from_tuple(initial), from_tuple(trailing), debug)
    error._status_to_send = status_to_send
    return error
