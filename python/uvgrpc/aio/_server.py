# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Servers."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, NamedTuple

import grpc
import grpc.aio

from uvgrpc import _core
from uvgrpc._fork import leave_in_child
from uvgrpc._loop import core_loop, running_loop
from uvgrpc.aio._blocking import run_blocking
from uvgrpc.aio._context import ServicerContext
from uvgrpc.aio._credentials import server_credentials as core_server_credentials
from uvgrpc.aio._options import with_compression, without_hide_exceptions

_log = logging.getLogger("uvgrpc")


class _CallDetails(NamedTuple):
    method: str
    invocation_metadata: Any


class HandlerCallDetails(_CallDetails, grpc.HandlerCallDetails):
    """What a generic handler is asked about: a method's path, and an RPC's metadata."""


class Server(grpc.aio.Server):
    """A server on the running event loop.

    Args:
      thread_pool: where handlers that are not async run.
      generic_handlers: handlers that find a method by its name.
      interceptors: server interceptors.
      options: channel arguments, pairs of a name and an int, str or bytes; and
        ("uvgrpc.hide_exceptions", True) to tell clients of a handler's exception without
        its type and text.
      maximum_concurrent_rpcs: RPCs beyond are refused with RESOURCE_EXHAUSTED; None
        for no limit.
      compression: how messages are compressed.

    Raises:
      RuntimeError: no event loop is running.
      UnsupportedLoopError: the loop is not uvloop's.
      ValueError: `maximum_concurrent_rpcs` is not positive.
    """

    def __init__(
        self,
        thread_pool: Executor | None,
        generic_handlers: Sequence[grpc.GenericRpcHandler] | None,
        interceptors: Sequence[Any] | None,
        options: Iterable[tuple[str, Any]],
        maximum_concurrent_rpcs: int | None,
        compression: grpc.Compression | None,
    ) -> None:
        invalid = [one for one in interceptors or () if not isinstance(one, grpc.aio.ServerInterceptor)]
        if invalid:
            raise ValueError(f"Interceptor must be ServerInterceptor, the following are invalid: {invalid}")
        if maximum_concurrent_rpcs is not None and maximum_concurrent_rpcs <= 0:
            raise ValueError(f"maximum_concurrent_rpcs must be positive, got {maximum_concurrent_rpcs}")
        event_loop = running_loop("a server")
        self._event_loop = event_loop
        self._is_left = False
        self._loop = core_loop(event_loop)
        self._registered: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
        self._generic_handlers: list[grpc.GenericRpcHandler] = []
        self._stopped = asyncio.Event()
        options, hides_exceptions = without_hide_exceptions(options)
        find_handler = _HandlerFinder(self._registered, self._generic_handlers)
        self._core = _core.Server(
            self._loop,
            event_loop,
            with_compression(options, compression),
            ServicerContext,
            find_handler,
            _Interception(tuple(interceptors), find_handler) if interceptors else None,
            functools.partial(run_blocking, thread_pool),
            maximum_concurrent_rpcs,
            hides_exceptions,
        )
        self.add_generic_rpc_handlers(generic_handlers or ())
        leave_in_child(self)

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Adds handlers that find a method by its name, after those of earlier calls.

        Raises:
          AttributeError: one of them has no method service().
        """
        for handler in generic_rpc_handlers:
            if not callable(getattr(handler, "service", None)):
                raise AttributeError(f'"{handler}" must conform to grpc.GenericRpcHandler type but does not')
            self._generic_handlers.append(handler)

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: Mapping[str, grpc.RpcMethodHandler[Any, Any]]
    ) -> None:
        """Adds the handlers of a service by name. They win over generic ones.

        Those added before start() are known to core, which then reads their requests by
        itself. Once the server has started none can be added: that is logged.
        """
        if self._core.is_started:
            _log.warning("Cannot register method handlers once server has started")
            return
        for name, handler in method_handlers.items():
            self._registered[f"/{service_name}/{name}"] = handler

    def add_insecure_port(self, address: str) -> int:
        """Opens a port without transport security. To be called before start().

        Args:
          address: "host:port", "[::]:port", "unix:path" or "unix-abstract:name"; port 0
            has one chosen.

        Returns:
          The port.

        Raises:
          RuntimeError: the address cannot be bound.
        """
        return self._add_port(address, _core.insecure_server_credentials())

    def _add_port(self, address: str, credentials: _core.ServerCredentials) -> int:
        if isinstance(address, bytes):
            address = address.decode()
        port = self._core.add_port(address, credentials)
        if port == 0:
            raise RuntimeError(
                f"Failed to bind to address {address}; "
                "set GRPC_VERBOSITY=debug environment variable to see detailed error message."
            )
        return port

    def add_secure_port(self, address: str, server_credentials: grpc.ServerCredentials) -> int:
        """Opens a port with transport security. To be called before start().

        Args:
          address: as of add_insecure_port().
          server_credentials: how its connections are secured.

        Returns:
          The port.

        Raises:
          RuntimeError: the address cannot be bound, or not with these credentials.
          ValueError: the credentials were made before uvgrpc was imported.
        """
        return self._add_port(address, core_server_credentials(server_credentials, self._loop))

    def _leave_parent(self) -> Any:
        """It is stopped here: this process is the child of a fork()."""
        self._is_left = True
        return self._core

    def _check_loop(self) -> None:
        if not self._core.is_stopped and asyncio.get_running_loop() is not self._event_loop:
            raise grpc.aio.UsageError(
                "the server belongs to another event loop: make a server of its own for each loop"
            )

    async def start(self) -> None:
        """Starts serving. Does nothing while the server runs.

        Raises:
          UsageError: the server was stopped, or it is another loop's or process's.
        """
        if self._is_left:
            raise grpc.aio.UsageError(
                "the server belongs to the process that forked this one: make a server of its own for each"
            )
        self._check_loop()
        if self._core.is_shutting_down:
            raise grpc.aio.UsageError("Server not in ready state")
        if self._core.is_started:
            return
        for path, handler in self._registered.items():
            self._core.add_method(_core.Method(path, handler))
        self._core.start()

    async def stop(self, grace: float | None) -> None:
        """Refuses new RPCs at once, and returns when none is left. Idempotent.

        Args:
          grace: seconds to let RPCs finish before they are aborted; None aborts them at
            once. Of several calls the one that ends first decides.

        Raises:
          UsageError: the server is another loop's.
        """
        if self._is_left:
            return
        self._check_loop()
        finished = self._core.shutdown()
        if grace is not None and grace > 0:
            await asyncio.wait([finished], timeout=grace)
        self._core.cancel_all_calls()
        await finished
        self._stopped.set()

    async def wait_for_termination(self, timeout: float | None = None) -> bool:
        """Waits until the server has stopped.

        Args:
          timeout: seconds; None to wait for ever.

        Returns:
          Whether the time ran out.

        Raises:
          UsageError: the server is another loop's.
        """
        if self._is_left:
            return False
        self._check_loop()
        if timeout is None:
            await self._stopped.wait()
            return False
        try:
            await asyncio.wait_for(self._stopped.wait(), timeout)
        except TimeoutError:
            return True
        return False


class _HandlerFinder:
    """Finds the handler of a method that core does not know. Holds no server."""

    def __init__(
        self,
        registered: Mapping[str, grpc.RpcMethodHandler[Any, Any]],
        generic_handlers: Sequence[grpc.GenericRpcHandler],
    ) -> None:
        self._registered = registered
        self._generic_handlers = generic_handlers

    def __call__(self, path: str, metadata: Any) -> grpc.RpcMethodHandler[Any, Any] | None:
        return self.find(HandlerCallDetails(path, metadata))

    def find(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        """The handler for `details`, which an interceptor may have made."""
        registered = self._registered.get(details.method)
        if registered is not None:
            return registered
        for generic in self._generic_handlers:
            handler = generic.service(details)
            if handler is not None:
                return handler
        return None


class _Interception:
    """Asks the interceptors, the first one outermost, and then the handlers."""

    def __init__(self, interceptors: tuple[grpc.aio.ServerInterceptor, ...], finder: _HandlerFinder) -> None:
        self._interceptors = interceptors
        self._finder = finder

    async def __call__(self, path: str, metadata: Any) -> grpc.RpcMethodHandler[Any, Any] | None:
        return await self._ask(0, HandlerCallDetails(path, metadata))

    async def _ask(
        self, index: int, details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        if index == len(self._interceptors):
            return self._finder.find(details)
        continuation = functools.partial(self._ask, index + 1)
        return await self._interceptors[index].intercept_service(continuation, details)


def server(
    migration_thread_pool: Executor | None = None,
    handlers: Sequence[grpc.GenericRpcHandler] | None = None,
    interceptors: Sequence[Any] | None = None,
    options: Sequence[tuple[str, Any]] | None = None,
    maximum_concurrent_rpcs: int | None = None,
    compression: grpc.Compression | None = None,
) -> Server:
    """Makes a server on the running event loop. See Server for the arguments."""
    return Server(
        migration_thread_pool,
        handlers,
        interceptors,
        () if options is None else options,
        maximum_concurrent_rpcs,
        compression,
    )
