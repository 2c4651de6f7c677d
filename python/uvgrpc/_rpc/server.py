# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Servers."""

from __future__ import annotations

from collections.abc import Awaitable, Generator, Sequence
from concurrent.futures import Executor
from types import TracebackType
from typing import Any

import grpc
import grpc.aio

from uvgrpc._rpc.context import ServicerContext
from uvgrpc._rpc.handlers import handlers_of
from uvgrpc._rpc.servicers import service_of
from uvgrpc._rpc.sockets import SocketLike, add_socket
from uvgrpc._runtime.loop import running_loop
from uvgrpc.aio import _server

# How long RPCs may go on after a server was told to stop, in seconds.
GRACE = 5.0


class _Started:
    """Awaiting it is allowed, and does nothing."""

    def __await__(self) -> Generator[Any, None, None]:
        return
        yield


class Server(_server.Server):
    """A server on the event loop of the thread that makes it. See server().

    As an asynchronous context manager it runs for the length of the block: it is started, and at the
    end stopped. After an exception in the block RPCs are aborted at once.
    """

    _make_stock = None
    _context_type = ServicerContext

    def __init__(
        self,
        thread_pool: Executor | None,
        interceptors: Sequence[grpc.aio.ServerInterceptor] | None,
        options: Sequence[tuple[str, Any]] | None,
        maximum_concurrent_rpcs: int | None,
        compression: grpc.Compression | None,
        grace: float | None,
    ) -> None:
        if grace is not None and not grace >= 0:
            raise ValueError(f"grace must be a number of seconds that is not negative, got {grace!r}")
        super().__init__(thread_pool, None, interceptors, options or (), maximum_concurrent_rpcs, compression)
        self._grace = grace

    @property
    def grace(self) -> float | None:
        """How long RPCs may go on when it is stopped by the end of a block, or by a signal."""
        return self._grace

    def add_servicer(self, servicer: object, service: object = None) -> None:
        """Has an object's methods serve a service. To be called before start().

        Methods of the service that it does not have are answered with UNIMPLEMENTED. For the shapes
        that a method may have see the guide; which it is, is seen from its signature.

        Args:
          servicer: the object.
          service: the service: what proto() or reflect() gives for one, a generated class, or a
            descriptor. May be left out when the servicer's class derives from a generated one.

        Raises:
          TypeError: it is not told which service, or a method has a wrong shape.
          RuntimeError: the server has started or was stopped.
        """
        self._check_servicers()
        found = service_of(servicer, service)
        self.add_registered_method_handlers(found.name, handlers_of(servicer, found))

    def add_socket(self, sock: SocketLike, credentials: grpc.ServerCredentials | None = None) -> int:
        """Listens on a socket that the process was given, or has bound. To be called before start().

        Args:
          sock: a bound TCP or Unix socket, or its descriptor; it may listen already. It stays the
            caller's, who may close it: the server has a descriptor of its own. A Unix socket's file is
            not removed when the server stops.
          credentials: how its connections are secured; None for an insecure port.

        Returns:
          The port; of a Unix socket 1.

        Raises:
          TypeError: it is neither a socket nor a descriptor.
          ValueError: it is closed, not bound, connected, or no stream socket; or the credentials were
            made before uvgrpc was imported.
          RuntimeError: another server listens on it; or this one has started, was stopped, is another
            process's, or runs in another thread.
          OSError: it cannot listen.
        """
        return add_socket(self, sock, credentials)

    def _check_servicers(self) -> None:
        if self._stopping is not None or self._stopped.is_set():
            raise RuntimeError("no servicer can be added: the server was stopped")
        if self._core is not None and self._core.is_started:
            raise RuntimeError("no servicer can be added: the server has started")

    def start(self) -> Awaitable[None]:  # type: ignore[override]
        """Starts serving. Does nothing while the server runs. Need not be awaited.

        Raises:
          UsageError: the server was stopped, or it is another loop's or process's.
          RuntimeError: no event loop runs; or a port that was asked for before there was a loop
            cannot be bound.
          UnsupportedLoopError: the loop is not uvloop's.
        """
        running_loop("the start of a server")
        self._start_core()
        return _Started()

    async def __aenter__(self) -> Server:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        await self.stop(self._grace if exc_type is None else None)


def server(
    *,
    interceptors: Sequence[grpc.aio.ServerInterceptor] | None = None,
    options: Sequence[tuple[str, Any]] | None = None,
    maximum_concurrent_rpcs: int | None = None,
    compression: grpc.Compression | None = None,
    thread_pool: Executor | None = None,
    grace: float | None = GRACE,
) -> Server:
    """Makes a server.

    Args:
      interceptors: grpc.aio's server interceptors; the first one is the outermost.
      options: channel arguments, pairs of a name and a number, str or bytes; and
        ("uvgrpc.hide_exceptions", True) to tell clients of a handler's exception without its type
        and text, and ("uvgrpc.max_waiting_rpcs", n) to refuse RPCs, with RESOURCE_EXHAUSTED, while
        n wait for the loop to come to them, or n for a thread of the pool.
      maximum_concurrent_rpcs: RPCs beyond are refused with RESOURCE_EXHAUSTED; None for no limit.
      compression: how messages are compressed.
      thread_pool: where handlers that are not async run; None for one of the server's own.
      grace: how long, in seconds, the end of an `async with` block and SIGTERM, under run(), let
        RPCs go on before they are aborted; None aborts them at once.

    Raises:
      ValueError: `maximum_concurrent_rpcs` is not positive, or `grace` is negative.
      TypeError: an option is of no kind that gRPC knows.
      OverflowError: an option does not fit in 32 bits.
      UnsupportedLoopError: another loop than uvloop's is running.
    """
    return Server(thread_pool, interceptors, options, maximum_concurrent_rpcs, compression, grace)
