# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Multi-callables: what a stub calls, one class an arity."""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterable, Callable, Iterable, Sequence
from functools import partial
from typing import Any, ClassVar, Protocol

import grpc
import grpc.aio

from uvgrpc import _core
from uvgrpc.aio import _abstract
from uvgrpc.aio._call import StreamStreamCall, StreamUnaryCall, UnaryStreamCall, UnaryUnaryCall
from uvgrpc.aio._intercepted_call import (
    InterceptedCall,
    InterceptedStreamStreamCall,
    InterceptedStreamUnaryCall,
    InterceptedUnaryStreamCall,
    InterceptedUnaryUnaryCall,
)
from uvgrpc.aio._interceptor import own_metadata
from uvgrpc.aio._options import compression_entry

Serializer = Callable[[Any], bytes]
Deserializer = Callable[[bytes], Any]
Metadata = grpc.aio.Metadata | Sequence[tuple[str, str | bytes]]
Requests = AsyncIterable[Any] | Iterable[Any]

# What a multi-callable takes besides the request, in the order that _start() takes it.
_CALL_PARAMETERS = ("timeout", "metadata", "credentials", "wait_for_ready", "compression")


class CallsChannel(Protocol):
    """What a multi-callable wants of the channel that its calls go to."""

    # grpc.aio's own channel, when _bound() gives None.
    _stock: Any
    # Intercepted calls are to be put here; core does not know of them before their RPC starts.
    _intercepted_calls: weakref.WeakSet[InterceptedCall]

    def _bound(self) -> _core.Channel | None:
        """Core's channel on the running loop; None if grpc.aio's own stands in, in _stock."""

    def _call_credentials(self, credentials: grpc.CallCredentials) -> _core.CallCredentials:
        """Credentials for one call on the channel, which is bound."""


class MultiCallable:
    """A method of a service, on a channel.

    Args:
      channel: the channel that calls go to.
      method: the full path, "/package.Service/Method"; bytes will do.
      request_serializer: turns a request into bytes; None sends bytes as they are.
      response_deserializer: turns bytes into a response; None gives bytes.
      interceptors: the channel's interceptors of this arity; a list that may grow.
    """

    # What is particular to an arity. Any: the call types share no base with all that is used.
    _arity: ClassVar[str]
    _call_type: ClassVar[Any]
    _intercepted_type: ClassVar[type[InterceptedCall]]
    _request_streaming: ClassVar[bool] = False
    _response_streaming: ClassVar[bool] = False
    # grpc.aio's own multi-callable, and the channel that it was made for.
    _stock_channel: Any = None
    _stock_call: Any = None

    def __init__(
        self,
        channel: CallsChannel,
        method: str | bytes,
        request_serializer: Serializer | None,
        response_deserializer: Deserializer | None,
        interceptors: list[Any],
    ) -> None:
        self._channel = channel
        self._method = method.encode() if isinstance(method, str) else method
        self._request_serializer = request_serializer
        self._response_deserializer = response_deserializer
        self._interceptors = interceptors

    def _start(
        self,
        request: Any,
        timeout: float | None,
        metadata: Metadata | None,
        credentials: grpc.CallCredentials | None,
        wait_for_ready: bool | None,
        compression: grpc.Compression | None,
    ) -> Any:
        """Starts a call, or the interceptors that may.

        Args:
          request: the request; for a stream what yields them, or None.

        Raises: see UnaryUnaryMultiCallable.
        """
        core = self._channel._bound()
        if core is None:
            return self._start_stock(request, timeout, metadata, credentials, wait_for_ready, compression)
        if self._interceptors:
            return self._intercept(core, request, timeout, metadata, credentials, wait_for_ready, compression)
        core_credentials = None
        if credentials is not None:
            core_credentials = self._channel._call_credentials(credentials)
        if compression:
            metadata = (*(metadata or ()), compression_entry(compression))
        call = self._call_type()
        call._start(
            core,
            self._method,
            self._request_streaming,
            self._response_streaming,
            request,
            self._request_serializer,
            self._response_deserializer,
            timeout,
            metadata,
            wait_for_ready,
            core_credentials,
        )
        if self._request_streaming:
            call._send_from(request)
        return call

    def _start_stock(self, request: Any, *rest: Any) -> Any:
        """Starts a call of grpc.aio's own: the channel is on another loop than uvloop's."""
        stock = self._channel._stock
        if stock is not self._stock_channel:
            method = self._method.decode()
            make = getattr(stock, self._arity)
            self._stock_call = make(method, self._request_serializer, self._response_deserializer)
            self._stock_channel = stock
        return self._stock_call(request, **dict(zip(_CALL_PARAMETERS, rest, strict=True)))

    def _intercept(
        self,
        core: _core.Channel,
        request: Any,
        timeout: float | None,
        metadata: Metadata | None,
        credentials: grpc.CallCredentials | None,
        wait_for_ready: bool | None,
        compression: grpc.Compression | None,
    ) -> InterceptedCall:
        """Starts the interceptors, which may start the RPC."""
        # Any: its stubs say that the method is a str; it is bytes.
        details: Any = grpc.aio.ClientCallDetails
        call = self._intercepted_type(
            tuple(self._interceptors),
            partial(self._start_intercepted, compression),
            details(self._method, timeout, own_metadata(metadata), credentials, wait_for_ready),
            request,
            core.event_loop,
        )
        self._channel._intercepted_calls.add(call)
        return call

    def _start_intercepted(self, compression: grpc.Compression | None, details: Any, request: Any) -> Any:
        plain: Any = type(self)(
            self._channel,
            details.method,
            self._request_serializer,
            self._response_deserializer,
            [],
        )
        return plain._start(
            request,
            details.timeout,
            details.metadata,
            details.credentials,
            details.wait_for_ready,
            compression,
        )


class UnaryUnaryMultiCallable(MultiCallable, _abstract.UnaryUnaryMultiCallable):
    """Calls with one request and one response."""

    _arity = "unary_unary"
    _call_type = UnaryUnaryCall
    _intercepted_type = InterceptedUnaryUnaryCall

    def __call__(
        self,
        request: Any,
        *,
        timeout: float | None = None,
        metadata: Metadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> UnaryUnaryCall | InterceptedUnaryUnaryCall:
        """Starts an RPC, at the latest when the event loop next waits.

        Args:
          request: the request.
          timeout: seconds until the call ends with DEADLINE_EXCEEDED; None for no limit.
          metadata: pairs to send with the request.
          credentials: add metadata to the call; not for an insecure channel.
          wait_for_ready: True to wait for a connection rather than fail at once when
            there is none.
          compression: how requests are compressed.

        Returns:
          The call. Dropping it cancels the RPC.

        Raises:
          UsageError: the channel is closed, or `credentials` were given for an insecure one.
          TypeError: metadata is not made of pairs of the right types.
        """
        call: UnaryUnaryCall | InterceptedUnaryUnaryCall = self._start(
            request, timeout, metadata, credentials, wait_for_ready, compression
        )
        return call


class UnaryStreamMultiCallable(MultiCallable, _abstract.UnaryStreamMultiCallable):
    """Calls with one request and a stream of responses."""

    _arity = "unary_stream"
    _call_type = UnaryStreamCall
    _intercepted_type = InterceptedUnaryStreamCall
    _response_streaming = True

    def __call__(
        self,
        request: Any,
        *,
        timeout: float | None = None,
        metadata: Metadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> UnaryStreamCall | InterceptedUnaryStreamCall:
        """Starts an RPC. See UnaryUnaryMultiCallable for arguments and errors."""
        call: UnaryStreamCall | InterceptedUnaryStreamCall = self._start(
            request, timeout, metadata, credentials, wait_for_ready, compression
        )
        return call


class StreamUnaryMultiCallable(MultiCallable, _abstract.StreamUnaryMultiCallable):
    """Calls with a stream of requests and one response."""

    _arity = "stream_unary"
    _call_type = StreamUnaryCall
    _intercepted_type = InterceptedStreamUnaryCall
    _request_streaming = True

    def __call__(
        self,
        request_iterator: Requests | None = None,
        timeout: float | None = None,
        metadata: Metadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> StreamUnaryCall | InterceptedStreamUnaryCall:
        """Starts an RPC. See UnaryUnaryMultiCallable for arguments and errors.

        Args:
          request_iterator: yields the requests; None to write() them.
        """
        call: StreamUnaryCall | InterceptedStreamUnaryCall = self._start(
            request_iterator, timeout, metadata, credentials, wait_for_ready, compression
        )
        return call


class StreamStreamMultiCallable(MultiCallable, _abstract.StreamStreamMultiCallable):
    """Calls with streams both ways."""

    _arity = "stream_stream"
    _call_type = StreamStreamCall
    _intercepted_type = InterceptedStreamStreamCall
    _request_streaming = True
    _response_streaming = True

    def __call__(
        self,
        request_iterator: Requests | None = None,
        timeout: float | None = None,
        metadata: Metadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> StreamStreamCall | InterceptedStreamStreamCall:
        """Starts an RPC. See UnaryUnaryMultiCallable for arguments and errors.

        Args:
          request_iterator: yields the requests; None to write() them.
        """
        call: StreamStreamCall | InterceptedStreamStreamCall = self._start(
            request_iterator, timeout, metadata, credentials, wait_for_ready, compression
        )
        return call
