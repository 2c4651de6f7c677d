# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The context of an RPC that is served."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import grpc.aio

from uvgrpc import _core
from uvgrpc._rpc.errors import EOF
from uvgrpc.aio import _context

Request = TypeVar("Request")
Response = TypeVar("Response")


class ServicerContext(_context.ServicerContext, Generic[Request, Response]):
    """What a handler knows of its RPC, where it receives from and sends to, and how it shapes the answer.

    Iterating over it gives the requests.
    """

    __slots__ = ()

    _eof = EOF

    if TYPE_CHECKING:

        def receive(self) -> Awaitable[Request]:
            """Gives, when awaited, the next request.

            Raises:
              UsageError: the RPC is over.

            Raises, when awaited:
              EOF: there are no more.
              UsageError: the RPC has ended meanwhile.
            """

        def send(self, message: Response) -> Awaitable[None]:
            """Sends a response. What it returns is to be awaited before the next one.

            The single response of a method that has one goes out with the status.

            Raises:
              UsageError: the RPC is over, or its single response was sent already.
            """

    else:
        # Nothing of Python's own around them: they are on the path of every message.
        receive = _core.ServicerContext._receive
        send = _core.ServicerContext._send

    def __aiter__(self) -> AsyncIterator[Request]:
        return _core.RequestIterator(self)


class BehindInterceptors:
    """The context of a handler that takes nothing else, when interceptors have wrapped it.

    They may have exchanged requests and context: messages go by way of what they have handed on.
    """

    def __init__(
        self, requests: Any, context: Any, request_streaming: bool, response_streaming: bool
    ) -> None:
        self._requests = aiter(requests) if request_streaming else _only(requests)
        self._context = context
        self._response_streaming = response_streaming
        self.responses: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._requests

    async def receive(self) -> Any:
        """See ServicerContext."""
        try:
            return await anext(self._requests)
        except StopAsyncIteration:
            raise EOF from None

    async def send(self, message: Any) -> None:
        """See ServicerContext."""
        if self._response_streaming:
            await self._context.write(message)
        elif self.responses:
            raise grpc.aio.UsageError("the method has a single response, which was sent already")
        else:
            self.responses.append(message)


async def _only(request: Any) -> AsyncIterator[Any]:
    yield request
