# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Servers."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, ClassVar

import grpc
import grpc.aio

from uvgrpc import _core
from uvgrpc._runtime.fork import leave_in_child
from uvgrpc._runtime.loop import (
    core_loop,
    current_loop,
    is_supported,
    note_server,
    runs_elsewhere,
    unsupported,
    wrong_thread,
)
from uvgrpc.aio._blocking import run_blocking
from uvgrpc.aio._context import ServicerContext
from uvgrpc.aio._credentials import check_server_credentials
from uvgrpc.aio._credentials import server_credentials as core_server_credentials
from uvgrpc.aio._handlers import HandlerFinder, Interception
from uvgrpc.aio._options import server_options, with_compression
from uvgrpc.aio._ports import ReservedPorts, duplicate
from uvgrpc.aio._stopping import Stopping
from uvgrpc.aio._views import ServerView

_log = logging.getLogger("uvgrpc")

_OF_THE_PARENT = "the server belongs to the process that forked this one: make a server of its own for each"


class Server(grpc.aio.Server):
    """A server on the event loop of the thread that makes it.

    Where there is none yet, it is start() that decides on the loop. Until then the ports
    are reserved: their numbers are known, and connections are refused.

    Args:
      thread_pool: where handlers that are not async run.
      generic_handlers: handlers that find a method by its name.
      interceptors: server interceptors.
      options: channel arguments, pairs of a name and a number, str or bytes; and
        ("uvgrpc.hide_exceptions", True) to tell clients of a handler's exception without
        its type and text, and ("uvgrpc.max_waiting_rpcs", n) to refuse RPCs, with
        RESOURCE_EXHAUSTED, while n wait for the loop to come to them, or n for a thread of
        the pool.
      maximum_concurrent_rpcs: RPCs beyond are refused with RESOURCE_EXHAUSTED; None
        for no limit.
      compression: how messages are compressed.

    Raises:
      UnsupportedLoopError: another loop than uvloop's is running.
      ValueError: `maximum_concurrent_rpcs` is not positive.
      TypeError: an option is of no kind that gRPC knows.
      OverflowError: an option does not fit in 32 bits.
    """

    # After install(): makes grpc.aio's own server, for a loop of another kind.
    _make_stock: Callable[..., Any] | None = None
    _context_type: ClassVar[type[ServicerContext]] = ServicerContext

    # Whether the loop is chosen when it is made, if there is one; else in start().
    _binds_at_once = True

    # A subclass may not be ready: nothing here calls a method that it can override.
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
        self._thread_pool = thread_pool
        self._interceptors = tuple(interceptors or ())
        self._all_options = tuple(options or ())
        self._maximum_concurrent_rpcs = maximum_concurrent_rpcs
        self._compression = compression
        self._own_options = server_options(self._all_options)
        self._options = with_compression(self._own_options.core, compression)
        # By service, as grpc.aio's own wants them, and by path.
        self._services: dict[str, dict[str, grpc.RpcMethodHandler[Any, Any]]] = {}
        self._registered: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
        self._generic_handlers: list[grpc.GenericRpcHandler] = []
        _add_generic(self._generic_handlers, generic_handlers or ())
        # Where grpc.aio has its Cython object.
        self._server = ServerView(self)
        self._stopping: Stopping | None = None
        # Set when the server has stopped, whoever waits for that.
        self._stopped = asyncio.Event()
        self._is_left = False
        self._ports = ReservedPorts(_reuses_ports(self._options))
        self._core: _core.Server | None = None
        # grpc.aio's own server, when the loop is not uvloop's.
        self._stock: Any = None
        self._event_loop: asyncio.AbstractEventLoop | None = None
        event_loop = current_loop() if self._binds_at_once else None
        if event_loop is None or runs_elsewhere(event_loop):
            return
        if is_supported(event_loop) or event_loop.is_running():
            _bind(self, event_loop)

    @property
    def _loop(self) -> asyncio.AbstractEventLoop | None:
        """The server's event loop, under grpc.aio's name; None as long as it has none."""
        return self._event_loop

    def _is_running(self) -> bool:
        if self._stock is not None:
            return bool(self._stock._server.is_running())
        return self._core is not None and self._core.is_started and not self._core.is_shutting_down

    def _has_stopped(self) -> bool:
        """Whether no RPC and no port of it is left in this process."""
        if self._is_left or self._stopped.is_set():
            return True
        return self._core is not None and self._core.is_stopped

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Adds handlers that find a method by its name, after those of earlier calls.

        Raises:
          AttributeError: one of them has no method service().
        """
        if self._stock is not None:
            self._stock.add_generic_rpc_handlers(generic_rpc_handlers)
        else:
            _add_generic(self._generic_handlers, generic_rpc_handlers)

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: Mapping[str, grpc.RpcMethodHandler[Any, Any]]
    ) -> None:
        """Adds the handlers of a service by name. They win over generic ones.

        Those added before start() are known to core, which then reads their requests by
        itself. Once the server has started none can be added: that is logged.
        """
        if self._stock is not None:
            self._stock.add_registered_method_handlers(service_name, method_handlers)
            return
        if self._core is not None and self._core.is_started:
            _log.warning("Cannot register method handlers once server has started")
            return
        self._services.setdefault(service_name, {}).update(method_handlers)
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
          RuntimeError: the address cannot be bound; or the server has started, was stopped,
            is another process's, or runs in another thread.
        """
        return self._add_port(address, None)

    def add_secure_port(self, address: str, server_credentials: grpc.ServerCredentials) -> int:
        """Opens a port with transport security. To be called before start().

        Args:
          address: as of add_insecure_port().
          server_credentials: how its connections are secured.

        Returns:
          The port.

        Raises:
          RuntimeError: the address cannot be bound, or not with these credentials; or as of
            add_insecure_port().
          ValueError: the credentials were made before uvgrpc was imported.
        """
        if self._stock is None:
            check_server_credentials(server_credentials)
        return self._add_port(address, server_credentials)

    def _add_port(self, address: str, credentials: grpc.ServerCredentials | None) -> int:
        if isinstance(address, bytes):
            address = address.decode()
        self._check_ports()
        if self._stock is not None:
            return _add_stock_port(self._stock, address, credentials)
        port = 0
        if self._core is not None:
            port = self._core.add_port(address, self._core_credentials(credentials))
        else:
            with contextlib.suppress(OSError):
                port = self._ports.add(address, credentials)
        if port == 0:
            raise RuntimeError(
                f"Failed to bind to address {address}; "
                "set GRPC_VERBOSITY=debug environment variable to see detailed error message."
            )
        return port

    def _add_socket(self, own: socket.socket, credentials: grpc.ServerCredentials | None) -> int:
        """Has the server listen on a bound socket, which is taken over in any case.

        Returns:
          The port; of a Unix socket 1.

        Raises:
          OSError: it cannot listen.
          RuntimeError: as of add_insecure_port().
          UnsupportedLoopError: the server's loop is not uvloop's.
        """
        with contextlib.ExitStack() as stack:
            stack.enter_context(own)
            self._check_ports()
            if self._stock is not None:
                raise unsupported(self._stock._loop)
            if self._core is not None:
                return self._core.add_socket(own.fileno(), self._core_credentials(credentials))
            port = self._ports.adopt(own, credentials)
            stack.pop_all()
            return port

    def _check_ports(self) -> None:
        """Raises RuntimeError if no port can be added."""
        if self._is_left:
            raise RuntimeError(f"no port can be added: {_OF_THE_PARENT}")
        event_loop = self._event_loop
        if event_loop is not None and runs_elsewhere(event_loop):
            raise wrong_thread("the server")
        if self._stopping is not None or self._stopped.is_set():
            raise RuntimeError("no port can be added: the server was stopped")
        if self._core is not None:
            if self._core.is_stopped or event_loop is None or event_loop.is_closed():
                raise RuntimeError("no port can be added: the server's event loop was closed")
            if self._core.is_started:
                raise RuntimeError("no port can be added: the server has started")

    def _core_credentials(self, credentials: grpc.ServerCredentials | None) -> _core.ServerCredentials:
        if credentials is None:
            return _core.insecure_server_credentials()
        assert self._event_loop is not None
        return core_server_credentials(credentials, core_loop(self._event_loop))

    def _leave_parent(self) -> Any:
        """It is stopped here: this process is the child of a fork()."""
        self._is_left = True
        return self._core

    def _check_loop(self) -> None:
        if self._event_loop is None or (self._core is not None and self._core.is_stopped):
            return
        if runs_elsewhere(self._event_loop):
            raise wrong_thread("the server")
        if asyncio.get_running_loop() is not self._event_loop:
            raise grpc.aio.UsageError(
                "the server belongs to another event loop: make a server of its own for each loop"
            )

    async def start(self) -> None:
        """Starts serving. Does nothing while the server runs.

        Raises:
          UsageError: the server was stopped, or it is another loop's or process's.
          RuntimeError: its loop runs in another thread; or a port that was asked for before
            there was a loop cannot be bound.
          UnsupportedLoopError: the loop is not uvloop's.
        """
        self._start_core()
        if self._stock is not None:
            await self._stock.start()

    def _start_core(self) -> None:
        """Starts serving, unless grpc.aio's own server is to do so."""
        if self._is_left:
            raise grpc.aio.UsageError(_OF_THE_PARENT)
        self._check_loop()
        if self._stopping is not None or self._stopped.is_set():
            raise grpc.aio.UsageError("Server not in ready state")
        if self._event_loop is None:
            _bind(self, asyncio.get_running_loop())
        if self._stock is not None:
            return
        core = self._core
        assert core is not None
        if core.is_shutting_down:
            raise grpc.aio.UsageError("Server not in ready state")
        if core.is_started:
            return
        for path, handler in self._registered.items():
            core.add_method(_core.Method(path, handler))
        core.start()

    async def stop(self, grace: float | None) -> None:
        """Tells the clients to make no more RPCs, and returns when none is left. Idempotent.

        No connection is taken from here on. RPCs of a client that has not heard of it yet are
        served, as RFC 9113, section 6.8, has it.

        Giving up waiting for it, as a handler does that stops its own server, does not keep
        the server from stopping.

        Args:
          grace: seconds to let RPCs finish before they are aborted; None aborts them at
            once. Of several calls the one that ends first decides.

        Raises:
          UsageError: the server is another loop's.
          RuntimeError: its loop runs in another thread.
        """
        if self._is_left:
            return
        self._check_loop()
        if self._stock is not None:
            await self._stock.stop(grace)
        if self._core is None or self._core.is_stopped:
            self._ports.release()
            self._ports.forget()
            self._stopped.set()
            return
        if self._stopping is None:
            self._stopping = Stopping(self._core, self._stopped)
        self._stopping.hurry(grace)
        await self._stopped.wait()

    async def wait_for_termination(self, timeout: float | None = None) -> bool:
        """Waits until the server has stopped.

        Args:
          timeout: seconds; None to wait for ever.

        Returns:
          Whether the time ran out.

        Raises:
          UsageError: the server is another loop's.
          RuntimeError: its loop runs in another thread.
        """
        if self._is_left:
            return False
        self._check_loop()
        if self._stock is not None:
            return bool(await self._stock.wait_for_termination(timeout))
        if self._core is not None and self._core.is_stopped:
            return False
        if timeout is None:
            await self._stopped.wait()
            return False
        try:
            await asyncio.wait_for(self._stopped.wait(), timeout)
        except TimeoutError:
            return True
        return False


# ---- what a subclass cannot override


def _add_generic(known: list[grpc.GenericRpcHandler], added: Iterable[grpc.GenericRpcHandler]) -> None:
    for handler in added:
        if not callable(getattr(handler, "service", None)):
            raise AttributeError(f'"{handler}" must conform to grpc.GenericRpcHandler type but does not')
        known.append(handler)


def _reuses_ports(options: Iterable[tuple[Any, Any]]) -> bool:
    reuses = [value for name, value in options if name in ("grpc.so_reuseport", b"grpc.so_reuseport")]
    return bool(reuses[-1]) if reuses else True


def _bind(server: Server, event_loop: asyncio.AbstractEventLoop) -> None:
    """Gives a server its loop, and has the ports bound that it was asked for before.

    Raises:
      UnsupportedLoopError: the loop is not uvloop's.
      RuntimeError: a port cannot be bound.
    """
    if is_supported(event_loop):
        _make_core(server, event_loop)
    elif server._make_stock is not None:
        _become_stock(server, event_loop)
    else:
        raise unsupported(event_loop)
    server._event_loop = event_loop
    reserved = server._ports
    reserved.release_before_binding()
    try:
        for port in reserved.ports:
            if port.adopted is None:
                server._add_port(port.address, port.credentials)
            else:
                server._add_socket(duplicate(port.adopted), port.credentials)
    except BaseException:
        # It may be tried again, perhaps elsewhere.
        server._core = server._stock = server._event_loop = None
        raise
    else:
        reserved.forget()
    finally:
        reserved.release()


def _make_core(server: Server, event_loop: asyncio.AbstractEventLoop) -> None:
    find_handler = HandlerFinder(server._registered, server._generic_handlers)
    interceptors = server._interceptors
    server._core = _core.Server(
        core_loop(event_loop),
        event_loop,
        server._options,
        server._context_type,
        find_handler,
        Interception(interceptors, find_handler) if interceptors else None,
        functools.partial(run_blocking, server._thread_pool),
        server._maximum_concurrent_rpcs,
        server._own_options.max_waiting_rpcs,
        server._own_options.hides_exceptions,
    )
    leave_in_child(server)
    note_server(event_loop, server)


def _become_stock(server: Server, event_loop: asyncio.AbstractEventLoop) -> None:
    assert server._make_stock is not None
    stock = server._make_stock(
        event_loop,
        server._thread_pool,
        tuple(server._generic_handlers),
        server._interceptors,
        server._all_options,
        server._maximum_concurrent_rpcs,
        server._compression,
    )
    for service_name, handlers in server._services.items():
        stock.add_registered_method_handlers(service_name, handlers)
    server._stock = stock


def _add_stock_port(stock: Any, address: str, credentials: grpc.ServerCredentials | None) -> int:
    port: int
    if credentials is None:
        port = stock.add_insecure_port(address)
    else:
        port = stock.add_secure_port(address, credentials)
    return port


def server(
    migration_thread_pool: Executor | None = None,
    handlers: Sequence[grpc.GenericRpcHandler] | None = None,
    interceptors: Sequence[Any] | None = None,
    options: Sequence[tuple[str, Any]] | None = None,
    maximum_concurrent_rpcs: int | None = None,
    compression: grpc.Compression | None = None,
) -> Server:
    """Makes a server on the thread's event loop. See Server for the arguments."""
    return Server(
        migration_thread_pool,
        handlers,
        interceptors,
        () if options is None else options,
        maximum_concurrent_rpcs,
        compression,
    )
