# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Channels."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any

import grpc
import grpc.aio

from uvgrpc import _core
from uvgrpc._fork import leave_in_child
from uvgrpc._loop import core_loop, running_loop
from uvgrpc._recorder import unwrapped
from uvgrpc.aio._credentials import call_credentials, channel_factory
from uvgrpc.aio._intercepted_call import InterceptedCall
from uvgrpc.aio._interceptor import by_arity
from uvgrpc.aio._multi_callable import (
    Deserializer,
    Serializer,
    StreamStreamMultiCallable,
    StreamUnaryMultiCallable,
    UnaryStreamMultiCallable,
    UnaryUnaryMultiCallable,
)
from uvgrpc.aio._options import with_compression
from uvgrpc.aio._status import CONNECTIVITY

_USER_AGENT = ("grpc.primary_user_agent", f"grpc-python-uvgrpc/{grpc.__version__}")


class Channel(grpc.aio.Channel):
    """A channel on the event loop of its first use.

    It may be made before a loop runs. When that loop is closed, the channel can be
    used again on the next one; so it can in a process that was forked.

    Args:
      target: the server's address, in gRPC's name syntax.
      options: channel arguments, pairs of a name and an int, str or bytes.
      credentials: None for an insecure channel.
      compression: how messages are compressed, unless a call says otherwise.
      interceptors: client interceptors; the first one is the outermost.

    Raises:
      ValueError: an interceptor implements none of grpc.aio's interfaces, or the
        credentials were made before uvgrpc was imported and cannot be read.
    """

    def __init__(
        self,
        target: str,
        options: Iterable[tuple[str, Any]],
        credentials: Any,
        compression: grpc.Compression | None,
        interceptors: Sequence[grpc.aio.ClientInterceptor] | None,
    ) -> None:
        if isinstance(target, bytes):
            target = target.decode()
        self._target = target
        self._is_secure = credentials is not None
        self._make_credentials = channel_factory(credentials)
        self._options = (*with_compression(options, compression), _USER_AGENT)
        # Multi-callables share these lists: what programs append counts for all of them.
        (
            self._unary_unary_interceptors,
            self._unary_stream_interceptors,
            self._stream_unary_interceptors,
            self._stream_stream_interceptors,
        ) = by_arity(interceptors)
        # Core does not know of them before their RPC starts.
        self._intercepted_calls: weakref.WeakSet[InterceptedCall] = weakref.WeakSet()
        self._core: _core.Channel | None = None
        self._event_loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return
        self._bound()

    def _bound(self) -> _core.Channel:
        """Core's channel on the running loop.

        Raises:
          UsageError: the channel is closed.
          RuntimeError: no loop is running, or another one than the channel's, which is
            still open.
        """
        # The usual case first: this is on the path of every call.
        core = self._core
        if core is not None and not self._closed and not core.is_closed:
            running = asyncio._get_running_loop()
            if running is self._event_loop or running is None:
                return core
        if self._closed:
            raise grpc.aio.UsageError("Channel is closed.")
        event_loop = running_loop(f"the channel to {self._target}")
        if core is not None and self._event_loop is not event_loop:
            assert self._event_loop is not None
            if not self._event_loop.is_closed():
                raise RuntimeError(
                    f"the channel to {self._target} belongs to another event loop, which is still open: "
                    "make a channel of its own for each loop"
                )
        loop = core_loop(event_loop)
        self._core = _core.Channel(
            loop, event_loop, self._target, self._make_credentials(loop), self._options
        )
        self._event_loop = event_loop
        leave_in_child(self)
        return self._core

    def _leave_parent(self) -> Any:
        """Forgets its connections: this process is the child of a fork()."""
        left, self._core, self._event_loop = (self._core, self._event_loop), None, None
        return left

    def _call_credentials(self, credentials: grpc.CallCredentials) -> _core.CallCredentials:
        """Credentials for one call on this channel, which must be bound.

        Raises:
          UsageError: the channel is insecure.
        """
        if not self._is_secure:
            raise grpc.aio.UsageError("Call credentials are only valid on secure channels")
        assert self._event_loop is not None
        return call_credentials(credentials, core_loop(self._event_loop))

    async def __aenter__(self) -> Channel:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        """Closes the channel. Idempotent.

        Args:
          grace: seconds to let calls finish before they are cancelled; None cancels
            them at once.

        Raises:
          ValueError: `grace` is negative.
        """
        if self._closed:
            return
        if grace is not None and grace < 0:
            raise ValueError(f"grace must be non-negative, got {grace}.")
        self._closed = True
        core = self._core
        if core is None or core.is_closed:
            return
        calls: list[Any] = [*self._intercepted_calls, *core.active_calls()]
        if grace and calls:
            await asyncio.wait([call._status_future() for call in calls], timeout=grace)
        for call in calls:
            call.cancel()
        core.close()

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """The present state of the connection.

        Args:
          try_to_connect: start to connect if the channel is idle.
        """
        if self._closed:
            return grpc.ChannelConnectivity.SHUTDOWN
        return CONNECTIVITY[self._bound().check_connectivity(bool(try_to_connect))]

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Waits until the state is another than `last_observed_state`.

        Raises:
          UsageError: the channel is closed.
          RuntimeError: core gave up watching.
        """
        if not await self._bound().watch_connectivity(last_observed_state.value[0]):
            raise RuntimeError("gRPC channel connectivity state watch failed unexpectedly.")

    async def channel_ready(self) -> None:
        """Waits until the channel is connected, and starts to connect.

        Raises:
          UsageError: the channel is closed, or is meanwhile.
        """
        state = self.get_state(try_to_connect=True)
        while state != grpc.ChannelConnectivity.READY:
            await self.wait_for_state_change(state)
            state = self.get_state(try_to_connect=True)

    def unary_unary(
        self,
        method: str,
        request_serializer: Serializer | None = None,
        response_deserializer: Deserializer | None = None,
        _registered_method: bool | None = False,
    ) -> UnaryUnaryMultiCallable:
        """A multi-callable for a method of one request and one response."""
        return UnaryUnaryMultiCallable(
            self, method, request_serializer, response_deserializer, self._unary_unary_interceptors
        )

    def unary_stream(
        self,
        method: str,
        request_serializer: Serializer | None = None,
        response_deserializer: Deserializer | None = None,
        _registered_method: bool | None = False,
    ) -> UnaryStreamMultiCallable:
        """A multi-callable for a method of one request and a stream of responses."""
        return UnaryStreamMultiCallable(
            self, method, request_serializer, response_deserializer, self._unary_stream_interceptors
        )

    def stream_unary(
        self,
        method: str,
        request_serializer: Serializer | None = None,
        response_deserializer: Deserializer | None = None,
        _registered_method: bool | None = False,
    ) -> StreamUnaryMultiCallable:
        """A multi-callable for a method of a stream of requests and one response."""
        return StreamUnaryMultiCallable(
            self, method, request_serializer, response_deserializer, self._stream_unary_interceptors
        )

    def stream_stream(
        self,
        method: str,
        request_serializer: Serializer | None = None,
        response_deserializer: Deserializer | None = None,
        _registered_method: bool | None = False,
    ) -> StreamStreamMultiCallable:
        """A multi-callable for a method of streams both ways."""
        return StreamStreamMultiCallable(
            self, method, request_serializer, response_deserializer, self._stream_stream_interceptors
        )


def insecure_channel(
    target: str,
    options: Sequence[tuple[str, Any]] | None = None,
    compression: grpc.Compression | None = None,
    interceptors: Sequence[grpc.aio.ClientInterceptor] | None = None,
) -> Channel:
    """Makes a channel without transport security. See Channel for the arguments."""
    return Channel(target, () if options is None else options, None, compression, interceptors)


def secure_channel(
    target: str,
    credentials: grpc.ChannelCredentials,
    options: Sequence[tuple[str, Any]] | None = None,
    compression: grpc.Compression | None = None,
    interceptors: Sequence[grpc.aio.ClientInterceptor] | None = None,
) -> Channel:
    """Makes a channel with transport security. See Channel for the arguments."""
    return Channel(
        target, () if options is None else options, unwrapped(credentials), compression, interceptors
    )
