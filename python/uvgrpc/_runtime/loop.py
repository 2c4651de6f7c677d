# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Finding, and ending, what uvgrpc keeps for an event loop."""

from __future__ import annotations

import asyncio
import sys
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import uvloop
import uvloop.loop

from uvgrpc import _core
from uvgrpc._runtime.fork import can_be_left_in_child

# The _core.Loop of an event loop is an attribute of it, so that it lives and dies
# with the loop and a look-up costs nothing.
_ATTRIBUTE = "_uvgrpc_loop"
_AT_CLOSE = "_uvgrpc_at_close"
_SERVERS = "_uvgrpc_servers"
_CHANNELS = "_uvgrpc_channels"


class EndsWithLoop(Protocol):
    """Something that must hear of the end of its loop; see end_with_loop()."""

    def loop_is_closing(self) -> None:
        """Called on the loop's thread. Nothing else will run on the loop."""


class UnsupportedLoopError(RuntimeError):
    """The running event loop is not uvloop's, so uvgrpc cannot work on it."""


@dataclass(frozen=True)
class LoopStats:
    """Counters of one event loop, for tests, for finding leaks, and to watch.

    They are always on. A turn is all that the loop does between two polls, whoever does it,
    and is measured to a millisecond.

    Attributes:
      handles: libuv handles that uvgrpc has open on the loop. An idle loop has a
        few of its own.
      residents: channels and servers that are open, and calls that are under way.
      wakeups: how often the loop has called into uvgrpc.
      last_turn: seconds that the last turn took.
      worst_turn: seconds that the longest took so far.
      turns: how many took how long: the first number is of turns of less than 1 ms, the
        next of 1 ms, then of less than 4, 8, 16 ms and so on; the last of all that took longer.
      posted: core's closures that wait for a turn.
      collected: what was asked for and waits to start.
      completed: what has completed and waits to be delivered.
      buffered: bytes of messages that wait for a reader, or for core to take them.
      unsent: bytes that wait for sockets.
      starts: how much was started so far.
      deliveries: how much was delivered so far.
    """

    handles: int
    residents: int
    wakeups: int
    last_turn: float = 0.0
    worst_turn: float = 0.0
    turns: tuple[int, ...] = (0,) * 16
    posted: int = 0
    collected: int = 0
    completed: int = 0
    buffered: int = 0
    unsent: int = 0
    starts: int = 0
    deliveries: int = 0


def is_supported(event_loop: asyncio.AbstractEventLoop) -> bool:
    """Whether uvgrpc can work on `event_loop`."""
    return isinstance(event_loop, uvloop.Loop)


def unsupported(event_loop: asyncio.AbstractEventLoop) -> UnsupportedLoopError:
    """The error to raise for a loop of another kind."""
    kind = type(event_loop)
    return UnsupportedLoopError(
        f"uvgrpc needs uvloop's event loop, but this one is {kind.__module__}.{kind.__qualname__}: "
        "start the program with uvloop.run(main()) in place of asyncio.run(main())"
    )


def running_loop(what: str) -> asyncio.AbstractEventLoop:
    """The running uvloop loop.

    Args:
      what: names in the error message what needs the loop.

    Raises:
      RuntimeError: no event loop is running in this thread.
      UnsupportedLoopError: another loop than uvloop's is.
    """
    try:
        event_loop = asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            f"{what} needs a running event loop: use it inside a coroutine that uvloop.run() runs"
        ) from None
    if not is_supported(event_loop):
        raise unsupported(event_loop)
    return event_loop


def current_loop() -> asyncio.AbstractEventLoop | None:
    """The loop that objects made now, in this thread, belong to; None when there is none.

    The running loop; or else the one that the thread was given by asyncio.set_event_loop(),
    where grpc.aio looks, too. It is only looked at: none is made, and nobody is warned.
    """
    running = asyncio._get_running_loop()
    if running is not None:
        return running
    found = _given_loop()
    return None if found is None or found.is_closed() else found


def _given_loop() -> asyncio.AbstractEventLoop | None:
    if sys.version_info >= (3, 14):
        try:
            return asyncio.get_event_loop()
        except RuntimeError:
            return None
    # get_event_loop() makes a loop in the main thread; what it would give is kept here by
    # the policies of asyncio, of uvloop, and those that programs derive from them.
    local = getattr(asyncio.get_event_loop_policy(), "_local", None)
    found: asyncio.AbstractEventLoop | None = getattr(local, "_loop", None)
    return found


def runs_elsewhere(event_loop: asyncio.AbstractEventLoop) -> bool:
    """Whether another thread runs `event_loop` at this moment."""
    return asyncio._get_running_loop() is not event_loop and event_loop.is_running()


def wrong_thread(what: str) -> RuntimeError:
    """The error to raise when `what` is used outside the thread that runs its loop."""
    return RuntimeError(
        f"{what} belongs to another event loop, which another thread runs: use it there, by way of "
        "asyncio.run_coroutine_threadsafe(coroutine, loop) or loop.call_soon_threadsafe(function)"
    )


def core_loop(event_loop: asyncio.AbstractEventLoop) -> _core.Loop:
    """What uvgrpc keeps for `event_loop`, made when there is none yet.

    Closing the loop from then on first ends all RPCs, channels and servers on it.
    """
    existing = existing_core_loop(event_loop)
    if existing is not None:
        return existing
    # Not in uvloop's stubs.
    capsule = uvloop.loop.libuv_get_loop_t_ptr(event_loop)  # type: ignore[attr-defined]
    created = _core.Loop(event_loop, capsule, uvloop.loop.__file__)
    attributes = vars(event_loop)
    attributes[_ATTRIBUTE] = created
    attributes[_AT_CLOSE] = weakref.WeakSet()
    attributes[_SERVERS] = weakref.WeakSet()
    attributes[_CHANNELS] = weakref.WeakSet()
    attributes["close"] = _closer(event_loop, created)
    attributes["run_forever"] = _runner(event_loop, created)
    can_be_left_in_child(event_loop, created)
    return created


def end_with_loop(event_loop: asyncio.AbstractEventLoop, target: EndsWithLoop) -> None:
    """Has `target` told when `event_loop`, which has a core loop, is closed. Held weakly."""
    vars(event_loop)[_AT_CLOSE].add(target)


def note_server(event_loop: asyncio.AbstractEventLoop, server: Any) -> None:
    """Has a server be among those of its loop, which has a core loop. Held weakly."""
    vars(event_loop)[_SERVERS].add(server)


def servers_of(event_loop: asyncio.AbstractEventLoop) -> list[Any]:
    """The servers of a loop, of every kind; also those that have stopped."""
    return list(vars(event_loop).get(_SERVERS, ()))


def note_channel(event_loop: asyncio.AbstractEventLoop, channel: Any) -> None:
    """Has a channel be among those of its loop, which has a core loop. Held weakly."""
    vars(event_loop)[_CHANNELS].add(channel)


def channels_of(event_loop: asyncio.AbstractEventLoop) -> list[Any]:
    """The channels of a loop, of every kind; also those that are closed."""
    return list(vars(event_loop).get(_CHANNELS, ()))


def existing_core_loop(event_loop: asyncio.AbstractEventLoop) -> _core.Loop | None:
    """What uvgrpc keeps for `event_loop`; None if it was not used there."""
    existing: _core.Loop | None = getattr(event_loop, _ATTRIBUTE, None)
    return existing


def _runner(event_loop: asyncio.AbstractEventLoop, native: _core.Loop) -> Callable[[], None]:
    # Weak, as in _closer().
    reference = weakref.ref(event_loop)

    def run_forever() -> None:
        """Runs the loop until it is stopped; uvgrpc knows then which thread it is on.

        run_until_complete() comes here, too.
        """
        target = reference()
        assert target is not None
        if target.is_running():
            type(target).run_forever(target)  # raises
            return
        native.claim()
        try:
            type(target).run_forever(target)
        finally:
            native.disclaim()

    return run_forever


def _closer(event_loop: asyncio.AbstractEventLoop, native: _core.Loop) -> Callable[[], None]:
    # Weak: the function is stored on the loop itself.
    reference = weakref.ref(event_loop)

    def close() -> None:
        """Closes the loop, after everything that uvgrpc has on it."""
        target = reference()
        if target is None:
            return
        if not target.is_running():
            native.shutdown()
            for listener in list(vars(target)[_AT_CLOSE]):
                listener.loop_is_closing()
        type(target).close(target)

    return close


def loop_stats(event_loop: asyncio.AbstractEventLoop | None = None) -> LoopStats:
    """Counters of a loop; of the running one by default.

    Raises:
      RuntimeError: none was given and none is running.
      UnsupportedLoopError: the loop is not uvloop's.
    """
    if event_loop is None:
        event_loop = running_loop("loop_stats()")
    elif not is_supported(event_loop):
        raise unsupported(event_loop)
    native = existing_core_loop(event_loop)
    if native is None:
        return LoopStats(handles=0, residents=0, wakeups=0)
    return LoopStats(native.handle_count, native.resident_count, native.wakeups, *native.figures())
