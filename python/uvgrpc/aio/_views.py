# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What stands where grpc.aio has its Cython objects: `channel._channel`, `server._server`.

They are private, but programs ask them whether a channel is closed or a server runs.
"""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING

import grpc

if TYPE_CHECKING:
    from uvgrpc.aio._channel import Channel
    from uvgrpc.aio._server import Server


class ChannelView:
    """`channel._channel`. Does not keep its channel alive; what is gone is closed."""

    def __init__(self, channel: Channel) -> None:
        self._channel = weakref.ref(channel)

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The channel's event loop, if it has one yet."""
        channel = self._channel()
        return None if channel is None else channel._loop

    def closed(self) -> bool:
        """Whether the channel is closed."""
        channel = self._channel()
        return channel is None or channel._closed

    def check_connectivity_state(self, try_to_connect: bool) -> int:
        """The number of the connection's state, as core counts them."""
        channel = self._channel()
        state = grpc.ChannelConnectivity.SHUTDOWN
        if channel is not None:
            state = channel.get_state(try_to_connect)
        number: int = state.value[0]
        return number


class ServerView:
    """`server._server`. Does not keep its server alive; what is gone is stopped."""

    def __init__(self, server: Server) -> None:
        self._server = weakref.ref(server)

    def is_running(self) -> bool:
        """Whether it has started and not begun to stop."""
        server = self._server()
        return server is not None and server._is_running()
