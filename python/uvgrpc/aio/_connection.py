# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Connections that a channel is given, in place of a target to connect to."""

from __future__ import annotations

import asyncio
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
