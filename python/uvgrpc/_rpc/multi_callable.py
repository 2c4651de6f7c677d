# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Multi-callables: what a stub calls, one class an arity."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from typing import TYPE_CHECKING, Any, Generic

import grpc

from uvgrpc._rpc import call, deadlines
from uvgrpc._rpc.call import Request, Response
from uvgrpc._rpc.deadlines import Propagation, ambient
from uvgrpc.aio import _multi_callable
from uvgrpc.aio._multi_callable import Metadata


class _Inheriting:
    """Calls that take over what is left of an enclosing deadline(), and of the RPC that is served."""

    if TYPE_CHECKING:
        _start: Any

    def __init__(self, channel: Any, *rest: Any) -> None:
        super().__init__(channel, *rest)  # type: ignore[call-arg]
        self._propagate: Propagation = channel._propagate

    def _inherit(
        self,
        request: Any,
        timeout: float | None,
        metadata: Metadata | None,
        credentials: grpc.CallCredentials | None,
        wait_for_ready: bool | None,
        compression: grpc.Compression | None,
        propagate: Propagation | None,
    ) -> Any:
        if propagate is None:
            propagate = self._propagate
        deadlines.check_propagation(propagate)
        timeout, metadata, rpc = deadlines.inherit(timeout, metadata, propagate)
        started = self._start(request, timeout, metadata, credentials, wait_for_ready, compression)
        if rpc is not None:
            rpc._end_with(started)
        return started


class UnaryUnaryMultiCallable(
    _Inheriting, _multi_callable.UnaryUnaryMultiCallable, Generic[Request, Response]
):
    """Calls with one request and one response."""

    _call_type = call.UnaryUnaryCall

    def __call__(
        self,
        request: Request,
        *,
        timeout: float | None = None,
        metadata: Metadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
        propagate: Propagation | None = None,
    ) -> call.UnaryUnaryCall[Request, Response]:
        """Starts an RPC, at the latest when the event loop next waits.

        Args:
          request: the request.
          timeout: seconds until the call ends with DEADLINE_EXCEEDED; None for no limit.
          metadata: pairs to send with the request.
          credentials: add metadata to the call; not for an insecure channel.
          wait_for_ready: True to wait for a connection rather than fail at once when
            there is none.
          compression: how requests are compressed.
          propagate: True to pass on what is left of the deadline of the RPC that is served, and its
            cancellation; names of its metadata have these passed on, too. None for what the
            channel has.

        Returns:
          The call. Dropping it cancels the RPC.

        Raises:
          UsageError: the channel is closed, or `credentials` were given for an insecure one.
          TypeError: metadata is not made of pairs of the right types, or `propagate` is
            neither a bool nor names.
        """
        started: call.UnaryUnaryCall[Request, Response]
        if (self._propagate if propagate is None else propagate) or ambient.get() is not None:
            started = self._inherit(
                request, timeout, metadata, credentials, wait_for_ready, compression, propagate
            )
        else:
            started = self._start(request, timeout, metadata, credentials, wait_for_ready, compression)
        return started


class UnaryStreamMultiCallable(
    _Inheriting, _multi_callable.UnaryStreamMultiCallable, Generic[Request, Response]
):
    """Calls with one request and a stream of responses."""

    _call_type = call.UnaryStreamCall
    _intercepted_type = call.InterceptedUnaryStreamCall

    def __call__(
        self,
        request: Request,
        *,
        timeout: float | None = None,
        metadata: Metadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
        propagate: Propagation | None = None,
    ) -> call.UnaryStreamCall[Request, Response]:
        """Starts an RPC. See UnaryUnaryMultiCallable for arguments and errors."""
        started: call.UnaryStreamCall[Request, Response]
        if (self._propagate if propagate is None else propagate) or ambient.get() is not None:
            started = self._inherit(
                request, timeout, metadata, credentials, wait_for_ready, compression, propagate
            )
        else:
            started = self._start(request, timeout, metadata, credentials, wait_for_ready, compression)
        return started


class StreamUnaryMultiCallable(
    _Inheriting, _multi_callable.StreamUnaryMultiCallable, Generic[Request, Response]
):
    """Calls with a stream of requests and one response."""

    _call_type = call.StreamUnaryCall
    _intercepted_type = call.InterceptedStreamUnaryCall

    def __call__(
        self,
        request_iterator: AsyncIterable[Request] | Iterable[Request] | None = None,
        timeout: float | None = None,
        metadata: Metadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
        propagate: Propagation | None = None,
    ) -> call.StreamUnaryCall[Request, Response]:
        """Starts an RPC. See UnaryUnaryMultiCallable for arguments and errors.

        Args:
          request_iterator: yields the requests; None to send() them.
        """
        requests = request_iterator
        started: call.StreamUnaryCall[Request, Response]
        if (self._propagate if propagate is None else propagate) or ambient.get() is not None:
            started = self._inherit(
                requests, timeout, metadata, credentials, wait_for_ready, compression, propagate
            )
        else:
            started = self._start(requests, timeout, metadata, credentials, wait_for_ready, compression)
        return started


class StreamStreamMultiCallable(
    _Inheriting, _multi_callable.StreamStreamMultiCallable, Generic[Request, Response]
):
    """Calls with streams both ways."""

    _call_type = call.StreamStreamCall
    _intercepted_type = call.InterceptedStreamStreamCall

    def __call__(
        self,
        request_iterator: AsyncIterable[Request] | Iterable[Request] | None = None,
        timeout: float | None = None,
        metadata: Metadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
        propagate: Propagation | None = None,
    ) -> call.StreamStreamCall[Request, Response]:
        """Starts an RPC. See StreamUnaryMultiCallable for arguments and errors."""
        requests = request_iterator
        started: call.StreamStreamCall[Request, Response]
        if (self._propagate if propagate is None else propagate) or ambient.get() is not None:
            started = self._inherit(
                requests, timeout, metadata, credentials, wait_for_ready, compression, propagate
            )
        else:
            started = self._start(requests, timeout, metadata, credentials, wait_for_ready, compression)
        return started
