# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""A server and a channel to it, inside the process."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from typing import TYPE_CHECKING

import grpc
import grpc.aio

from uvgrpc._rpc.channel import Channel
from uvgrpc._rpc.server import Server, server
from uvgrpc.aio._connection import InprocConnection
from uvgrpc.testing._leaks import PATIENCE, calls_of, handlers_of, leak_error, what_stays

if TYPE_CHECKING:
    from collections.abc import Sequence

    from uvgrpc._rpc.channel import Interceptors, Options
    from uvgrpc._rpc.deadlines import Propagation
    from uvgrpc.aio._server import Server as AnyServer


def inproc_channel(
    server: AnyServer,
    *,
    options: Options | None = None,
    compression: grpc.Compression | None = None,
    interceptors: Interceptors | None = None,
    propagate: Propagation = False,
) -> Channel:
    """Makes a channel to a server of this process and event loop, without a socket.

    Calls are what they are over a socket, but for what belongs to a network: names, load balancing,
    retries, keepalive. A channel does not keep the server.

    Args:
      server: a server of uvgrpc's that runs.
      options: as the others, of uvgrpc.insecure_channel().

    Raises:
      RuntimeError: the server does not run, or is another loop's.
      UnsupportedLoopError: the running loop is not uvloop's.
    """
    return Channel(
        "the server of this process",
        None,
        options,
        compression,
        interceptors,
        propagate,
        connection=InprocConnection(server),
    )


def add_servicers(to: Server, servicers: Sequence[object]) -> None:
    """Has a server serve what serving() takes.

    Raises: what Server.add_servicer() does.
    """
    for servicer in servicers:
        if isinstance(servicer, grpc.GenericRpcHandler):
            to.add_generic_rpc_handlers((servicer,))
        elif isinstance(servicer, tuple):
            to.add_servicer(*servicer)
        else:
            to.add_servicer(servicer)


@contextlib.asynccontextmanager
async def serving(
    *servicers: object,
    interceptors: Sequence[grpc.aio.ServerInterceptor] | None = None,
    options: Options | None = None,
    maximum_concurrent_rpcs: int | None = None,
    compression: grpc.Compression | None = None,
    thread_pool: Executor | None = None,
    client_interceptors: Interceptors | None = None,
    client_options: Options | None = None,
    client_compression: grpc.Compression | None = None,
    propagate: Propagation = False,
    loopback: bool = False,
    patience: float = PATIENCE,
) -> AsyncIterator[Channel]:
    """Runs a server for the length of an `async with` block, which gets a channel to it.

    Both are real, and so are the calls; they just need no socket. At the end of the block no call may be
    running any more: what is awaited, read to its end, or cancelled.

    Args:
      servicers: what Server.add_servicer() takes: an object; or a pair of one and its service, where the
        object's class does not say which that is. And generic handlers of grpc's.
      interceptors: as the four that follow, of uvgrpc.server().
      client_interceptors: of the channel, as the three that follow.
      loopback: use a socket, on 127.0.0.1.
      patience: seconds that handlers have to end after their client has gone.

    Raises:
      LeakError: at the end, unless the block raised an error: calls or handlers are running. They
        are cancelled.
      RuntimeError: no event loop runs.
      UnsupportedLoopError: it is not uvloop's.
      TypeError: a servicer has a wrong shape.
    """
    own = server(
        interceptors=interceptors,
        options=options,
        maximum_concurrent_rpcs=maximum_concurrent_rpcs,
        compression=compression,
        thread_pool=thread_pool,
        grace=None,
    )
    try:
        add_servicers(own, servicers)
        port = own.add_insecure_port("127.0.0.1:0") if loopback else 0
        own.start()
        channel = Channel(
            f"127.0.0.1:{port}" if loopback else "the server of this process",
            None,
            client_options,
            client_compression,
            client_interceptors,
            propagate,
            connection=None if loopback else InprocConnection(own),
        )
        try:
            yield channel
            calls = await what_stays(lambda: calls_of(channel), patience=0)
        finally:
            await channel.close()
        # Their clients have gone.
        handlers = await what_stays(lambda: handlers_of(own), patience)
    finally:
        await own.stop(None)
    if calls or handlers:
        raise leak_error("calls are running at the end of serving()", calls + handlers)
