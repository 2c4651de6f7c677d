# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Channels."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any

import grpc
import grpc.aio

from uvgrpc import _core
from uvgrpc._runtime.fork import leave_in_child
from uvgrpc._runtime.loop import (
    core_loop,
    current_loop,
    is_supported,
    note_channel,
    running_loop,
    runs_elsewhere,
    unsupported,
    wrong_thread,
)
from uvgrpc._under_grpc.recorder import unwrapped
from uvgrpc.aio._connection import Connection
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
from uvgrpc.aio._views import ChannelView

_USER_AGENT = ("grpc.primary_user_agent", f"grpc-python-uvgrpc/{grpc.__version__}")


class Channel(grpc.aio.Channel):
    """A channel on the event loop of its first use.

    It may be made before a loop runs. When that loop is closed, the channel can be
    used again on the next one; so it can in a process that was forked.

    Args:
      target: the server's address, in gRPC's name syntax.
      options: channel arguments, pairs of a name and a number, str or bytes.
      credentials: None for an insecure channel.
      compression: how messages are compressed, unless a call says otherwise.
      interceptors: client interceptors; the first one is the outermost.

    Raises:
      ValueError: an interceptor implements none of grpc.aio's interfaces, or the
        credentials were made before uvgrpc was imported and cannot be read.
      TypeError: an option is of no kind that gRPC knows.
      OverflowError: an option does not fit in 32 bits.
      UnsupportedLoopError: another loop than uvloop's is running.
    """

    # After install(): makes grpc.aio's own channel, for a loop of another kind.
    _make_stock: Callable[..., Any] | None = None
    # What the channel has instead of connecting to its target, which then only names it in messages.
    _connection: Connection | None = None

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
        options = tuple(options or ())
        self._stock_arguments = (target, options, credentials, compression) if self._make_stock else ()
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
        # grpc.aio's own channel, when the loop is not uvloop's.
        self._stock: Any = None
        self._closed = False
        # Where grpc.aio has its Cython object.
        self._channel = ChannelView(self)
        self._event_loop: asyncio.AbstractEventLoop | None = None
        event_loop = current_loop()
        if event_loop is None:
            return
        if asyncio._get_running_loop() is event_loop:
            self._bound()
        elif is_supported(event_loop):
            # It may still turn out to be another one that runs.
            self._event_loop = event_loop

    @property
    def _loop(self) -> asyncio.AbstractEventLoop | None:
        """The channel's event loop, under grpc.aio's name; None as long as it has none."""
        loop: asyncio.AbstractEventLoop | None = self._event_loop
        return loop if self._stock is None else self._stock._loop

    def _bound(self) -> _core.Channel | None:
        """Core's channel on the running loop; None if grpc.aio's own stands in, in _stock.

        Raises:
          UsageError: the channel is closed.
          RuntimeError: the channel's loop is another one, which is still open, or runs in
            another thread; or there is none.
          UnsupportedLoopError: the running loop is not uvloop's.
        """
        # The usual case first: this is on the path of every call.
        core = self._core
        event_loop = self._event_loop
        if core is not None and not self._closed and not core.is_closed:
            running = asyncio._get_running_loop()
            if running is event_loop:
                return core
            assert event_loop is not None
            if running is None and not event_loop.is_running():
                return core
        if self._closed:
            raise grpc.aio.UsageError("Channel is closed.")
        return self._bind(self._loop_to_use())

    def _loop_to_use(self) -> asyncio.AbstractEventLoop:
        """The running loop, or the one that is to run in this thread.

        Raises: see _bound().
        """
        what = f"the channel to {self._target}"
        own = self._loop
        running = asyncio._get_running_loop()
        if own is not None and not own.is_closed() and own is not running:
            if own.is_running():
                raise wrong_thread(what)
            if running is None:
                return own
            if self._core is not None or self._stock is not None:
                raise RuntimeError(
                    f"{what} belongs to another event loop, which is still open: "
                    "make a channel of its own for each loop"
                )
        event_loop = current_loop()
        # For the error that there is none.
        return running_loop(what) if event_loop is None else event_loop

    def _bind(self, event_loop: asyncio.AbstractEventLoop) -> _core.Channel | None:
        if not is_supported(event_loop):
            self._become_stock(event_loop)
            return None
        loop = core_loop(event_loop)
        credentials = self._make_credentials(loop)
        if self._connection is None:
            self._core = _core.Channel(loop, event_loop, self._target, credentials, self._options)
        else:
            self._core = self._connection.open(loop, event_loop, credentials, self._options)
        self._stock = None
        self._event_loop = event_loop
        leave_in_child(self)
        note_channel(event_loop, self)
        return self._core

    def _become_stock(self, event_loop: asyncio.AbstractEventLoop) -> None:
        if self._stock is not None and self._stock._loop is event_loop:
            return
        if self._make_stock is None or self._connection is not None:
            raise unsupported(event_loop)
        stock = self._make_stock(event_loop, *self._stock_arguments, None)
        stock._unary_unary_interceptors = self._unary_unary_interceptors
        stock._unary_stream_interceptors = self._unary_stream_interceptors
        stock._stream_unary_interceptors = self._stream_unary_interceptors
        stock._stream_stream_interceptors = self._stream_stream_interceptors
        self._stock = stock
        self._core = self._event_loop = None

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
          RuntimeError: the channel's loop runs in another thread.
        """
        if self._closed:
            return
        if grace is not None and grace < 0:
            raise ValueError(f"grace must be non-negative, got {grace}.")
        own = self._loop
        if own is not None and runs_elsewhere(own):
            raise wrong_thread(f"the channel to {self._target}")
        self._closed = True
        if self._stock is not None:
            await self._stock.close(grace)
            return
        core = self._core
        if core is None or core.is_closed:
            return
        calls: list[Any] = [*self._intercepted_calls, *core.active_calls()]
        if grace and calls:
            await asyncio.wait([call._status_future() for call in calls], timeout=grace)
        # What was written goes out first.
        core.start_now()
        for call in list(self._intercepted_calls):
            call.cancel()
        core.cancel_calls()
        core.close()

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """The present state of the connection. May be called on any thread.

        Args:
          try_to_connect: start to connect if the channel is idle; from a thread that does not
            run the channel's loop, as soon as the loop comes to it.

        Raises:
          RuntimeError: it is to connect, and has no loop yet.
        """
        if self._closed:
            return grpc.ChannelConnectivity.SHUTDOWN
        own = self._loop
        core = self._core
        if own is not None and runs_elsewhere(own):
            if self._stock is not None:
                return self._stock_state(try_to_connect)
            if core is None:
                if try_to_connect:
                    own.call_soon_threadsafe(self.get_state, True)
                return grpc.ChannelConnectivity.IDLE
        elif own is None and not try_to_connect and current_loop() is None:
            return grpc.ChannelConnectivity.IDLE
        else:
            core = self._bound()
            if core is None:
                return self._stock_state(try_to_connect)
        return CONNECTIVITY[core.check_connectivity(bool(try_to_connect))]

    def _stock_state(self, try_to_connect: bool) -> grpc.ChannelConnectivity:
        state: grpc.ChannelConnectivity = self._stock.get_state(try_to_connect)
        return state

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Waits until the state is another than `last_observed_state`.

        Raises:
          UsageError: the channel is closed.
          RuntimeError: core gave up watching, or the channel's loop runs in another thread.
        """
        core = self._bound()
        if core is None:
            await self._stock.wait_for_state_change(last_observed_state)
        elif not await core.watch_connectivity(last_observed_state.value[0]):
            raise RuntimeError("gRPC channel connectivity state watch failed unexpectedly.")

    async def channel_ready(self) -> None:
        """Waits until the channel is connected, and starts to connect.

        Raises:
          UsageError: the channel is closed, or is meanwhile.
          RuntimeError: the channel's loop runs in another thread.
        """
        state = self.get_state(try_to_connect=True)
        while state != grpc.ChannelConnectivity.READY:
            await self.wait_for_state_change(state)
            state = self.get_state(try_to_connect=True)

    def unary_unary(
        self,
        method: str | bytes,
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
        method: str | bytes,
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
        method: str | bytes,
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
        method: str | bytes,
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
