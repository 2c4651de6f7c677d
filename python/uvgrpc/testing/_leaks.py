# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What a test has left running."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from uvgrpc._runtime.loop import channels_of, servers_of
from uvgrpc.aio._channel import Channel
from uvgrpc.aio._server import Server

# What is on its way to its end gets this many turns of the loop, and then this long in seconds.
_TURNS = 10
PATIENCE = 0.5


class LeakError(AssertionError):
    """Something is left that a test should have ended. Its text names what."""


def leak_error(what: str, left: Iterable[str]) -> LeakError:
    """The error that lists what is left."""
    lines = [f"{name}, {count} times" if count > 1 else name for name, count in Counter(left).items()]
    return LeakError("\n  ".join((f"{what}:", *lines)))


def calls_of(channel: Channel) -> list[str]:
    """The calls that a client holds and that are not over, as text."""
    core = channel._core
    made = [] if core is None or core.is_closed else core.active_calls()
    names = [f"{call._path.decode()}, called by a client ({type(call).__name__})" for call in made]
    waiting = sum(1 for call in channel._intercepted_calls if not call.done())
    if waiting > len(made):
        names += ["a call that waits in an interceptor of a client"] * (waiting - len(made))
    return names


def handlers_of(server: Server) -> list[str]:
    """The handlers of a server that have not ended, as text."""
    core = server._core
    return [] if core is None else [f"{path}, its handler" for path in core.running_methods()]


def calls_on(event_loop: asyncio.AbstractEventLoop) -> list[str]:
    """All calls and handlers of a loop that are not over, as text."""
    names = [name for channel in channels_of(event_loop) for name in calls_of(channel)]
    return names + [name for server in servers_of(event_loop) for name in handlers_of(server)]


def open_on(event_loop: asyncio.AbstractEventLoop) -> list[str]:
    """The channels and servers of a loop that are open, as text; not those that fixtures end."""
    names = [
        f"the channel to {channel._target} is not closed"
        for channel in channels_of(event_loop)
        if not _is_fixture(channel) and channel._core is not None and not channel._core.is_closed
    ]
    names += [
        "a server was not stopped"
        for server in servers_of(event_loop)
        if not _is_fixture(server) and server._core is not None and not server._core.is_stopped
    ]
    return names


def _is_fixture(one: Any) -> bool:
    return getattr(one, "is_fixture", False)


async def what_stays(left: Callable[[], list[str]], patience: float = PATIENCE) -> list[str]:
    """What `left()` gives when all that is about to end, or only kept by a cycle, has gone."""
    if not left():
        return []
    for _ in range(_TURNS):
        await asyncio.sleep(0)
    found = left()
    if not found:
        return found
    gc.collect()
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    while (found := left()) and loop.time() < deadline:  # noqa: ASYNC110 - nobody tells of all that ends
        await asyncio.sleep(0.002)
    return found
