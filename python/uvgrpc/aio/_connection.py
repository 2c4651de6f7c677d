# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Connections that a channel is given, in place of a target to connect to."""

from __future__ import annotations

import asyncio
import socket
import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

from uvgrpc import _core

if TYPE_CHECKING:
    from uvgrpc.aio._server import Server


class Connection(Protocol):
    """Makes core's channel for a Channel that has a connection already."""

    def open(
        self,
        loop: _core.Loop,
        event_loop: asyncio.AbstractEventLoop,
        credentials: _core.ChannelCredentials,
        options: Iterable[tuple[str, Any]],
    ) -> _core.Channel:
        """Core's channel. Asked for again on another loop, or in the child of a fork().

        Raises:
          RuntimeError: the connection cannot be used on this loop, or was used.
        """


class InprocConnection:
    """The connection to a server of the same loop, without a socket.

    Args:
      server: it must run when the channel is first used. It is not held: a server that is
        dropped stops, as it does when its clients come by a socket.
    """

    def __init__(self, server: Server) -> None:
        self._server = weakref.ref(server)

    def open(
        self,
        loop: _core.Loop,
        event_loop: asyncio.AbstractEventLoop,
        credentials: _core.ChannelCredentials,
        options: Iterable[tuple[str, Any]],
    ) -> _core.Channel:
        server = self._server()
        if server is None or server._core is None:
            raise RuntimeError(
                "the server does not run: start it before a channel inside the process is made to it"
            )
        return _core.Channel.inproc(loop, event_loop, server._core, options)


class SocketConnection:
    """A connected socket, for one channel on one loop.

    Args:
      own: taken over.
    """

    def __init__(self, own: socket.socket) -> None:
        self._own: socket.socket | None = own

    def __del__(self) -> None:
        if self._own is not None:
            self._own.close()

    def open(
        self,
        loop: _core.Loop,
        event_loop: asyncio.AbstractEventLoop,
        credentials: _core.ChannelCredentials,
        options: Iterable[tuple[str, Any]],
    ) -> _core.Channel:
        own, self._own = self._own, None
        if own is None:
            raise RuntimeError(
                "the channel's connection was used by another event loop or process: "
                "a channel from a socket has only the one"
            )
        return _core.Channel.connected(loop, event_loop, own.detach(), credentials, options)
