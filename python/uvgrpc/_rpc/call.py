# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Calls: those of grpc.aio, and messages in, messages out.

A call of a channel without interceptors is a native one, another is made of parts. Programs see one class
an arity for both.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import grpc
import grpc.aio

from uvgrpc import _core
from uvgrpc._rpc.errors import EOF, RpcError
from uvgrpc.aio import _call, _intercepted_call
from uvgrpc.aio._status import status_code

Request = TypeVar("Request")
Response = TypeVar("Response")


class _Scope:
    """A call as an asynchronous context manager: leaving the block cancels what is unfinished."""

    if TYPE_CHECKING:
        cancel: Any

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        self.cancel()


class _Answered(Generic[Response]):
    """A call with one response."""

    if TYPE_CHECKING:

        def __await__(self) -> Generator[Any, None, Response]:
            """The response."""

    _received = False

    async def receive(self) -> Response:
        """The response, as awaiting the call gives it.

        Raises:
          EOF: it was received before.
          RpcError: the call ended with another status than OK.
          asyncio.CancelledError: it was cancelled on this side.
        """
        if self._received:
            raise EOF
        response = await self
        self._received = True
        return response


class _Sends(Generic[Request]):
    """A native call with a stream of requests."""

    if TYPE_CHECKING:
        _half_close: Any
        _sender: Any
        _usage_error: Any
        _write: Any

    _half_closed_text = "send() after done_sending()"

    def send(self, message: Request) -> Awaitable[None]:
        """Sends a request. What it returns is to be awaited before the next one.

        Raises:
          UsageError: the requests come from an iterator.

        Raises, when awaited:
          RpcError: the call ended with another status than OK.
          asyncio.CancelledError: it was cancelled on this side.
          asyncio.InvalidStateError: it is over, or done_sending() was called.
        """
        if self._sender is not None:
            raise self._usage_error("the requests of this call come from an iterator, so none can be sent")
        sent: Awaitable[None] = self._write(message)
        return sent

    async def done_sending(self) -> None:
        """Says that no request follows. Idempotent.

        Raises:
          UsageError: the requests come from an iterator.
        """
        if self._sender is not None:
            raise self._usage_error(
                "the requests of this call come from an iterator, which says when they end"
            )
        self._half_close()


class _Receives(Generic[Response]):
    """A native call with a stream of responses."""

    _eof = EOF

    if TYPE_CHECKING:

        def receive(self) -> Awaitable[Response]:
            """Gives, when awaited, the next response.

            Raises, when awaited:
              EOF: there are no more.
              RpcError: the call ended with another status than OK.
              asyncio.CancelledError: it was cancelled on this side.
            """

    else:
        # Nothing of Python's own around it: it is on the path of every message.
        receive = _core.ClientStream._receive

    def __aiter__(self) -> AsyncIterator[Response]:
        return _core.ResponseIterator(self)  # type: ignore[arg-type]


class _Native:
    """What native calls have in common."""

    if TYPE_CHECKING:
        _status_number: Any
        _status_details: Any
        _status_debug_string: Any
        _initial_metadata_pairs: Any
        _trailing_metadata_pairs: Any

    def _error(self) -> RpcError:
        from_tuple = grpc.aio.Metadata.from_tuple
        return RpcError._of_call(
            status_code(self._status_number()),
            self._status_details(),
            from_tuple(self._initial_metadata_pairs()),
            from_tuple(self._trailing_metadata_pairs()),
            self._status_debug_string() or "",
        )


class UnaryUnaryCall(_Native, _call.UnaryUnaryCall, Generic[Request, Response]):
    """One request, one response. Await it for the response; as often as wanted.

    Raises, when awaited:
      RpcError: the call ended with another status than OK.
      asyncio.CancelledError: it was cancelled on this side. Cancelling the task that
        awaits cancels the call.
    """

    if TYPE_CHECKING:

        def __await__(self) -> Generator[Any, None, Response]: ...


class UnaryStreamCall(
    _Scope, _Receives[Response], _Native, _call.UnaryStreamCall, Generic[Request, Response]
):
    """One request, a stream of responses: receive() them, or iterate over the call.

    As an asynchronous context manager it is cancelled at the end of the block, if it is not over.
    """


class StreamUnaryCall(
    _Scope, _Sends[Request], _Answered[Response], _Native, _call.StreamUnaryCall, Generic[Request, Response]
):
    """A stream of requests, one response: send() them, then await the call for the response.

    As an asynchronous context manager it is cancelled at the end of the block, if it is not over.
    """


class StreamStreamCall(
    _Scope, _Sends[Request], _Receives[Response], _Native, _call.StreamStreamCall, Generic[Request, Response]
):
    """Streams both ways: send() and receive(), in any order and from any task.

    As an asynchronous context manager it is cancelled at the end of the block, if it is not over.
    """


class _InterceptedSends:
    """An intercepted call with a stream of requests."""

    if TYPE_CHECKING:
        write: Any
        done_writing: Any

    _half_closed_text = _Sends._half_closed_text

    def send(self, message: Any) -> Awaitable[None]:
        """As that of the call that it stands for."""
        sent: Awaitable[None] = self.write(message)
        return sent

    async def done_sending(self) -> None:
        """As that of the call that it stands for."""
        await self.done_writing()


class _InterceptedReceives:
    """An intercepted call with a stream of responses."""

    if TYPE_CHECKING:
        read: Any

    async def receive(self) -> Any:
        """As that of the call that it stands for."""
        response = await self.read()
        if response is grpc.aio.EOF:
            raise EOF
        return response


@UnaryStreamCall.register
class InterceptedUnaryStreamCall(_Scope, _InterceptedReceives, _intercepted_call.InterceptedUnaryStreamCall):
    """One request, a stream of responses, by way of interceptors."""


@StreamUnaryCall.register
class InterceptedStreamUnaryCall(
    _Scope, _InterceptedSends, _Answered[Any], _intercepted_call.InterceptedStreamUnaryCall
):
    """A stream of requests, one response, by way of interceptors."""


@StreamStreamCall.register
class InterceptedStreamStreamCall(
    _Scope, _InterceptedSends, _InterceptedReceives, _intercepted_call.InterceptedStreamStreamCall
):
    """Streams both ways, by way of interceptors."""


# It has nothing that grpc.aio's does not have.
InterceptedUnaryUnaryCall = _intercepted_call.InterceptedUnaryUnaryCall
UnaryUnaryCall.register(InterceptedUnaryUnaryCall)
