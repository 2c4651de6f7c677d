# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Channels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import grpc
import grpc.aio

from uvgrpc._rpc.call import Request, Response
from uvgrpc._rpc.deadlines import Propagation, check_propagation
from uvgrpc._rpc.multi_callable import (
    StreamStreamMultiCallable,
    StreamUnaryMultiCallable,
    UnaryStreamMultiCallable,
    UnaryUnaryMultiCallable,
)
from uvgrpc._under_grpc.recorder import unwrapped
from uvgrpc.aio import _channel
from uvgrpc.aio._connection import Connection

Interceptors = Sequence[grpc.aio.ClientInterceptor]
Options = Sequence[tuple[str, Any]]


class Channel(_channel.Channel):
    """A channel on the event loop of its first use, whose calls send() and receive().

    Everything else is as with grpc.aio's, whose stubs work on it, too. See insecure_channel().
    """

    _make_stock = None

    def __init__(
        self,
        target: str,
        credentials: grpc.ChannelCredentials | None,
        options: Options | None,
        compression: grpc.Compression | None,
        interceptors: Interceptors | None,
        propagate: Propagation,
        *,
        connection: Connection | None = None,
    ) -> None:
        check_propagation(propagate)
        self._connection = connection
        super().__init__(
            target,
            options or (),
            None if credentials is None else unwrapped(credentials),
            compression,
            interceptors,
        )
        self._propagate = propagate

    def unary_unary(
        self,
        method: str | bytes,
        request_serializer: Callable[[Request], bytes] | None = None,
        response_deserializer: Callable[[bytes], Response] | None = None,
        _registered_method: bool | None = False,
    ) -> UnaryUnaryMultiCallable[Request, Response]:
        """A multi-callable for a method of one request and one response."""
        return UnaryUnaryMultiCallable(
            self, method, request_serializer, response_deserializer, self._unary_unary_interceptors
        )

    def unary_stream(
        self,
        method: str | bytes,
        request_serializer: Callable[[Request], bytes] | None = None,
        response_deserializer: Callable[[bytes], Response] | None = None,
        _registered_method: bool | None = False,
    ) -> UnaryStreamMultiCallable[Request, Response]:
        """A multi-callable for a method of one request and a stream of responses."""
        return UnaryStreamMultiCallable(
            self, method, request_serializer, response_deserializer, self._unary_stream_interceptors
        )

    def stream_unary(
        self,
        method: str | bytes,
        request_serializer: Callable[[Request], bytes] | None = None,
        response_deserializer: Callable[[bytes], Response] | None = None,
        _registered_method: bool | None = False,
    ) -> StreamUnaryMultiCallable[Request, Response]:
        """A multi-callable for a method of a stream of requests and one response."""
        return StreamUnaryMultiCallable(
            self, method, request_serializer, response_deserializer, self._stream_unary_interceptors
        )

    def stream_stream(
        self,
        method: str | bytes,
        request_serializer: Callable[[Request], bytes] | None = None,
        response_deserializer: Callable[[bytes], Response] | None = None,
        _registered_method: bool | None = False,
    ) -> StreamStreamMultiCallable[Request, Response]:
        """A multi-callable for a method of streams both ways."""
        return StreamStreamMultiCallable(
            self, method, request_serializer, response_deserializer, self._stream_stream_interceptors
        )


def insecure_channel(
    target: str,
    *,
    options: Options | None = None,
    compression: grpc.Compression | None = None,
    interceptors: Interceptors | None = None,
    propagate: Propagation = False,
) -> Channel:
    """Makes a channel without transport security.

    Args:
      target: the server's address, in gRPC's name syntax.
      options: channel arguments, pairs of a name and a number, str or bytes.
      compression: how messages are compressed, unless a call says otherwise.
      interceptors: grpc.aio's client interceptors; the first one is the outermost.
      propagate: True to have calls that a handler makes take over what is left of the deadline of
        its RPC, and its cancellation; names of metadata to have these passed on, too. A call can
        say otherwise.

    Raises:
      TypeError: an option is of no kind that gRPC knows; `propagate` is neither a bool nor names.
      ValueError: an interceptor implements none of grpc.aio's interfaces.
      UnsupportedLoopError: another loop than uvloop's is running.
    """
    return Channel(target, None, options, compression, interceptors, propagate)


def secure_channel(
    target: str,
    credentials: grpc.ChannelCredentials,
    *,
    options: Options | None = None,
    compression: grpc.Compression | None = None,
    interceptors: Interceptors | None = None,
    propagate: Propagation = False,
) -> Channel:
    """Makes a channel with transport security. See insecure_channel() for the other arguments.

    Args:
      credentials: grpc's, as from grpc.ssl_channel_credentials().

    Raises:
      ValueError: the credentials were made before uvgrpc was imported and cannot be read.
    """
    return Channel(target, credentials, options, compression, interceptors, propagate)
