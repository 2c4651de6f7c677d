# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Multi-callables: what a stub calls, one class an arity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

from uvgrpc.aio._call import UnaryUnaryCall
from uvgrpc.aio._options import COMPRESSION_METADATA_KEY, compression_name

if TYPE_CHECKING:
    from uvgrpc.aio._channel import Channel

Serializer = Callable[[Any], bytes]
Deserializer = Callable[[bytes], Any]
Metadata = grpc.aio.Metadata | Sequence[tuple[str, str | bytes]]


class MultiCallable:
    """A method of a service, on a channel.

    Args:
      channel: the channel that calls go to.
      method: the full path, "/package.Service/Method".
      request_serializer: turns a request into bytes; None sends bytes as they are.
      response_deserializer: turns bytes into a response; None gives bytes.
      interceptors: the channel's interceptors of this arity; a list that may grow.
    """

    def __init__(
        self,
        channel: Channel,
        method: str,
        request_serializer: Serializer | None,
        response_deserializer: Deserializer | None,
        interceptors: list[Any],
    ) -> None:
        self._channel = channel
        self._method = method.encode()
        self._request_serializer = request_serializer
        self._response_deserializer = response_deserializer
        self._interceptors = interceptors

    def _not_yet(self, what: str) -> NotImplementedError:
        return NotImplementedError(f"uvgrpc does not support {what} yet ({self._method.decode()})")


class UnaryUnaryMultiCallable(MultiCallable, grpc.aio.UnaryUnaryMultiCallable[Any, Any]):
    """Calls with one request and one response."""

    def __call__(
        self,
        request: Any,
        *,
        timeout: float | None = None,
        metadata: Metadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> UnaryUnaryCall:
        """Starts an RPC, at the latest when the event loop next waits.

        Args:
          request: the request.
          timeout: seconds until the call ends with DEADLINE_EXCEEDED; None for no limit.
          metadata: pairs to send with the request.
          credentials: add metadata to the call; not for an insecure channel.
          wait_for_ready: True to wait for a connection rather than fail at once when
            there is none.
          compression: how the request is compressed.

        Returns:
          The call. Dropping it cancels the RPC.

        Raises:
          UsageError: the channel is closed, or `credentials` were given for an insecure one.
          TypeError: metadata is not made of pairs of the right types.
        """
        core = self._channel._bound()
        if self._interceptors:
            raise self._not_yet("client interceptors")
        core_credentials = None
        if credentials is not None:
            core_credentials = self._channel._call_credentials(credentials)
        if compression:
            metadata = (
                *(metadata or ()),
                (COMPRESSION_METADATA_KEY, compression_name(compression)),
            )
        call = UnaryUnaryCall()
        call._start(
            core,
            self._method,
            request,
            self._request_serializer,
            self._response_deserializer,
            timeout,
            metadata,
            wait_for_ready,
            core_credentials,
        )
        return call


class UnaryStreamMultiCallable(MultiCallable, grpc.aio.UnaryStreamMultiCallable[Any, Any]):
    """Calls with one request and a stream of responses. Not implemented yet."""

    def __call__(self, *_args: Any, **_kwargs: Any) -> Any:
        raise self._not_yet("unary-stream calls")


class StreamUnaryMultiCallable(MultiCallable, grpc.aio.StreamUnaryMultiCallable[Any, Any]):
    """Calls with a stream of requests and one response. Not implemented yet."""

    def __call__(self, *_args: Any, **_kwargs: Any) -> Any:
        raise self._not_yet("stream-unary calls")


class StreamStreamMultiCallable(MultiCallable, grpc.aio.StreamStreamMultiCallable[Any, Any]):
    """Calls with streams both ways. Not implemented yet."""

    def __call__(self, *_args: Any, **_kwargs: Any) -> Any:
        raise self._not_yet("stream-stream calls")
