# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Client interceptors: which there are, and the way of an RPC through them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import grpc
import grpc.aio

from uvgrpc._runtime.record import Record
from uvgrpc.aio._local_call import (
    LocalCall,
    StreamStreamAnswer,
    StreamUnaryAnswer,
    UnaryStreamAnswer,
    UnaryUnaryAnswer,
)

# Starts an RPC with the details and the request, or iterator of requests, that the
# interceptors arrived at. In the details `method` is bytes.
Starter = Callable[[grpc.aio.ClientCallDetails, Any], grpc.aio.Call]

_INTERFACES: tuple[type[grpc.aio.ClientInterceptor], ...] = (
    grpc.aio.UnaryUnaryClientInterceptor,
    grpc.aio.UnaryStreamClientInterceptor,
    grpc.aio.StreamUnaryClientInterceptor,
    grpc.aio.StreamStreamClientInterceptor,
)


class Kind(Record):
    """What is particular to the interceptors of an arity.

    Attributes:
      method: the name of the method that they implement.
      to_call: makes a call of what is not one: of the call that the interceptor got last,
        if any, and of what it returned.
    """

    method: str
    to_call: Callable[[grpc.aio.Call | None, Any], grpc.aio.Call]


UNARY_UNARY = Kind("intercept_unary_unary", lambda _, response: UnaryUnaryAnswer(response))
UNARY_STREAM = Kind("intercept_unary_stream", UnaryStreamAnswer)
STREAM_UNARY = Kind("intercept_stream_unary", lambda _, response: StreamUnaryAnswer(response))
STREAM_STREAM = Kind("intercept_stream_stream", StreamStreamAnswer)


def by_arity(interceptors: Iterable[Any] | None) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    """Sorts interceptors into those of unary-unary, unary-stream, stream-unary and stream-stream.

    One that implements several interfaces is in the list of each.

    Raises:
      ValueError: one implements none.
    """
    lists: tuple[list[Any], list[Any], list[Any], list[Any]] = ([], [], [], [])
    for interceptor in interceptors or ():
        kinds = [isinstance(interceptor, interface) for interface in _INTERFACES]
        if not any(kinds):
            names = " or ".join(interface.__name__ for interface in _INTERFACES)
            raise ValueError(f"Interceptor {interceptor} must be {names}. ")
        for is_kind, same_kind in zip(kinds, lists, strict=True):
            if is_kind:
                same_kind.append(interceptor)
    return lists


def own_metadata(metadata: Any) -> grpc.aio.Metadata:
    """The metadata that interceptors see. A copy: many of them add to it in place.

    Raises:
      TypeError: it is not made of pairs.
    """
    try:
        return grpc.aio.Metadata(*(metadata or ()))
    except ValueError as error:
        raise TypeError(f"metadata must be a sequence of pairs, got {metadata!r}") from error


class Chain:
    """One RPC's way through interceptors; each may go the rest of it several times, or not.

    Args:
      kind: of the interceptors.
      interceptors: the first one is the outermost.
      start: what stands at the end of the way.
      timeout: seconds that the RPC has, unless an interceptor changes that.
    """

    def __init__(
        self, kind: Kind, interceptors: Sequence[Any], start: Starter, timeout: float | None
    ) -> None:
        self._kind = kind
        self._interceptors = interceptors
        self._start = start
        self._timeout = timeout
        self._deadline: float | None = None
        self._started: list[grpc.aio.Call] = []
        self._latest: grpc.aio.Call | None = None
        self._cancelled = False

    async def run(self, details: grpc.aio.ClientCallDetails, request: Any) -> grpc.aio.Call:
        """Goes the way. Gives a call also when an interceptor raises: one that has failed."""
        try:
            call = await self._proceed(0, details, request)
            if self._cancelled:  # and an interceptor did not mind
                call.cancel()
            return call
        except Exception as error:
            self._cancel_started()
            return LocalCall.failed(error)
        except BaseException:
            self._cancel_started()
            raise
        finally:
            self._started.clear()
            self._latest = None

    def cancel(self) -> bool:
        """Cancels the RPCs under way, and lets none start from here on. True if there were any."""
        self._cancelled = True
        return self._cancel_started()

    def time_remaining(self) -> float | None:
        """Seconds that the RPC started last has left, or the one that is to be has in all."""
        if self._deadline is None:
            return self._timeout
        return max(0.0, self._deadline - time.monotonic())

    async def _proceed(self, index: int, details: Any, request: Any) -> grpc.aio.Call:
        if index == len(self._interceptors):
            call = self._start_rpc(details, request)
        else:
            intercept = getattr(self._interceptors[index], self._kind.method)
            answer = await intercept(partial(self._proceed, index + 1), details, request)
            is_call = isinstance(answer, grpc.aio.Call)
            call = answer if is_call else self._kind.to_call(self._latest, answer)
        self._latest = call
        return call

    def _start_rpc(self, details: Any, request: Any) -> grpc.aio.Call:
        if self._cancelled:
            raise asyncio.CancelledError
        method = details.method
        if isinstance(method, str):
            method = method.encode()
        timeout = details.timeout
        call = self._start(
            grpc.aio.ClientCallDetails(
                method,
                timeout,
                details.metadata,
                details.credentials,
                # Missing in details of the kind that were written for synchronous gRPC.
                getattr(details, "wait_for_ready", None),
            ),
            request,
        )
        self._timeout = timeout
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._started = [other for other in self._started if not other.done()]
        self._started.append(call)
        return call

    def _cancel_started(self) -> bool:
        # A list: all of them are to be cancelled, not only the first.
        return any([call.cancel() for call in tuple(self._started)])
