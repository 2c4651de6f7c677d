# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The server and the channel that pytest's fixtures give.

Fixtures are made before the loop of their test runs, and may go when it is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

from uvgrpc import _core
from uvgrpc._rpc.channel import Channel
from uvgrpc._rpc.server import Server
from uvgrpc.testing._serving import add_servicers

# What is run for each loop before it is closed.
_AT_CLOSE = "_uvgrpc_fixtures"


class FixtureServer(Server):
    """A server that starts when its channel is first used, or by start().

    Args:
      servicers: a list of what serving() takes; anything else is one of these.
      loopback: whether its channel needs a socket.
      arguments: of uvgrpc.server().
    """

    is_fixture = True
    _binds_at_once = False

    def __init__(self, servicers: object, loopback: bool, arguments: Mapping[str, Any]) -> None:
        super().__init__(
            arguments.get("thread_pool"),
            arguments.get("interceptors"),
            arguments.get("options"),
            arguments.get("maximum_concurrent_rpcs"),
            arguments.get("compression"),
            arguments.get("grace"),
        )
        unknown = arguments.keys() - {
            "thread_pool",
            "interceptors",
            "options",
            "maximum_concurrent_rpcs",
            "compression",
            "grace",
        }
        if unknown:
            raise TypeError(f"uvgrpc.server() has no argument {', '.join(sorted(unknown))}")
        add_servicers(self, servicers if isinstance(servicers, list) else [servicers])
        self.uses_socket = loopback
        self._port = 0

    @property
    def target(self) -> str:
        """Where clients of another kind find it: a port. To be asked for before it starts."""
        if not self._port:
            self._port = self.add_insecure_port("127.0.0.1:0")
        return f"127.0.0.1:{self._port}"

    def _start_core(self) -> None:
        if self._core is None or not self._core.is_started:
            if self.uses_socket:
                _ = self.target
            event_loop = asyncio.get_running_loop()
            super()._start_core()
            _before_close(event_loop, self._end)

    async def _end(self) -> None:
        await self.stop(None)


class FixtureChannel(Channel):
    """The channel to a FixtureServer, which it starts.

    Args:
      server: the server.
      arguments: of uvgrpc.insecure_channel(), but for the target.
    """

    is_fixture = True

    def __init__(self, server: FixtureServer, arguments: Mapping[str, Any]) -> None:
        super().__init__(
            "grpc_server",
            None,
            arguments.get("options"),
            arguments.get("compression"),
            arguments.get("interceptors"),
            arguments.get("propagate", False),
            connection=_Starting(server, self._note_loop),
        )
        unknown = arguments.keys() - {"options", "compression", "interceptors", "propagate"}
        if unknown:
            raise TypeError(f"uvgrpc.insecure_channel() has no argument {', '.join(sorted(unknown))}")

    def _note_loop(self, event_loop: asyncio.AbstractEventLoop) -> None:
        _before_close(event_loop, self.close)


class _Starting:
    """Starts the server of a channel, and connects to it."""

    def __init__(self, server: FixtureServer, opened: Callable[[asyncio.AbstractEventLoop], None]) -> None:
        self._server = server
        self._opened = opened

    def open(
        self,
        loop: _core.Loop,
        event_loop: asyncio.AbstractEventLoop,
        credentials: _core.ChannelCredentials,
        options: Iterable[tuple[str, Any]],
    ) -> _core.Channel:
        server = self._server
        server.start()
        assert server._core is not None
        if server.uses_socket:
            channel = _core.Channel(loop, event_loop, server.target, credentials, options)
        else:
            channel = _core.Channel.inproc(loop, event_loop, server._core, options)
        self._opened(event_loop)
        return channel


def _before_close(
    event_loop: asyncio.AbstractEventLoop, end: Callable[[], Coroutine[Any, Any, object]]
) -> None:
    """Has `end()` run before `event_loop` is closed; what was asked for last comes first."""
    attributes = vars(event_loop)
    waiting: list[Callable[[], Coroutine[Any, Any, object]]] | None = attributes.get(_AT_CLOSE)
    if waiting is not None:
        waiting.append(end)
        return
    waiting = attributes[_AT_CLOSE] = [end]
    close = event_loop.close

    def end_and_close() -> None:
        if not event_loop.is_running():
            # Not again, and no circle of references is left.
            attributes["close"] = close
            attributes.pop(_AT_CLOSE, None)
            while waiting:
                event_loop.run_until_complete(waiting.pop()())
        close()

    attributes["close"] = end_and_close


def end_now(one: FixtureServer | FixtureChannel) -> None:
    """Ends what a fixture gave, if its loop has not ended it, and does not run."""
    event_loop = one._event_loop
    if event_loop is None or event_loop.is_closed() or event_loop.is_running():
        return
    if isinstance(one, FixtureServer):
        event_loop.run_until_complete(one.stop(None))
    else:
        event_loop.run_until_complete(one.close())
