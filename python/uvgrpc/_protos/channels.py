# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Channels behind targets: one for each target, credentials and options, on each loop.

A channel that nothing has used for a while is closed, and all are with their loop. So a program may name as
many targets as it likes, and says nothing of channels.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Hashable, Sequence
from typing import Any

import grpc
import grpc.aio

from uvgrpc._rpc.channel import Channel, insecure_channel, secure_channel
from uvgrpc._runtime.loop import core_loop, end_with_loop, running_loop

Options = Sequence[tuple[str, Any]]

# How many seconds a channel is kept without calls, and how many channels without calls are.
IDLE_KEY = "UVGRPC_CHANNEL_IDLE_SECONDS"
MAXIMUM_KEY = "UVGRPC_CHANNEL_MAXIMUM"
_IDLE = 300.0
_MAXIMUM = 256

# As for what else is kept for a loop: it lives and dies with it.
_ATTRIBUTE = "_uvgrpc_channel_pool"


class _Entry:
    """A channel and when it was last asked for."""

    __slots__ = ("channel", "used")

    def __init__(self, channel: Channel, used: float) -> None:
        self.channel = channel
        self.used = used

    def is_busy(self) -> bool:
        core = self.channel._core
        return core is not None and not core.is_closed and bool(core.active_calls())


class ChannelPool:
    """The channels of one loop, to be used on its thread.

    Args:
      event_loop: a loop that uvgrpc is used on.
      idle: seconds that a channel is kept without calls.
      maximum: above it, the channel without calls that was used the longest ago goes for a new one.
    """

    def __init__(self, event_loop: asyncio.AbstractEventLoop, idle: float, maximum: int) -> None:
        self._event_loop = event_loop
        self._idle = idle
        self._maximum = maximum
        # The one used the longest ago first.
        self._entries: dict[Hashable, _Entry] = {}
        # One for all channels; there is none while there are no channels.
        self._timer: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()
        end_with_loop(event_loop, self)

    def __len__(self) -> int:
        return len(self._entries)

    def channel(self, target: str, credentials: Any, options: Options | None) -> Channel:
        """The channel to a target. See insecure_channel() for arguments and errors.

        Args:
          credentials: None for a channel without transport security.
        """
        key = (target, credentials, None if options is None else tuple(map(tuple, options)))
        now = self._event_loop.time()
        entry = self._entries.pop(key, None)
        if entry is not None:
            entry.used = now
            self._entries[key] = entry
            return entry.channel
        if len(self._entries) >= self._maximum:
            self._make_room()
        if credentials is None:
            channel = insecure_channel(target, options=options)
        else:
            channel = secure_channel(target, credentials, options=options)
        self._entries[key] = _Entry(channel, now)
        if self._timer is None:
            self._timer = self._event_loop.call_later(self._idle, self._close_idle)
        return channel

    async def close(self) -> None:
        """Closes all channels, and with them their calls. Later calls have new channels."""
        entries = list(self._entries.values())
        self._entries.clear()
        self._stop_timer()
        for entry in entries:
            await entry.channel.close()
        if self._closing:
            await asyncio.wait(self._closing)

    def loop_is_closing(self) -> None:
        """Forgets the channels, which have ended with the loop, and is forgotten by it."""
        self._entries.clear()
        self._stop_timer()
        vars(self._event_loop).pop(_ATTRIBUTE, None)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close_idle(self) -> None:
        self._timer = None
        now = self._event_loop.time()
        for key, entry in list(self._entries.items()):
            if entry.is_busy():
                entry.used = now
            elif entry.used + self._idle <= now:
                self._remove(key)
        if self._entries:
            first = min(entry.used for entry in self._entries.values())
            # Not more often than it takes to notice: with many channels there is always a next one.
            delay = max(first + self._idle - now, self._idle / 16)
            self._timer = self._event_loop.call_later(delay, self._close_idle)

    def _make_room(self) -> None:
        idle = next((key for key, entry in self._entries.items() if not entry.is_busy()), None)
        if idle is not None:
            self._remove(idle)

    def _remove(self, key: Hashable) -> None:
        task = self._event_loop.create_task(self._entries.pop(key).channel.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def pool_of_loop() -> ChannelPool:
    """The pool of the running loop.

    Raises:
      RuntimeError: no loop is running.
      UnsupportedLoopError: the running loop is not uvloop's.
      ValueError: what an environment variable says is no number.
    """
    event_loop = asyncio._get_running_loop()
    pool: ChannelPool | None = getattr(event_loop, _ATTRIBUTE, None)
    if pool is None:
        event_loop = running_loop("a call to a target")
        core_loop(event_loop)
        pool = ChannelPool(event_loop, _number(IDLE_KEY, _IDLE), int(_number(MAXIMUM_KEY, _MAXIMUM)))
        vars(event_loop)[_ATTRIBUTE] = pool
    return pool


def _number(key: str, default: float) -> float:
    text = os.environ.get(key)
    if not text:
        return default
    try:
        number = float(text)
    except ValueError:
        number = 0
    # Not NaN either.
    if not number > 0:
        raise ValueError(f"{key} must be a number above 0, got {text!r}")
    return number


def channel_for(
    target: Any, channel: Any, credentials: Any, options: Options | None
) -> tuple[Any, grpc.CallCredentials | None]:
    """The channel for a call, and the credentials that are the call's own.

    Args:
      target: an address, or a channel; None when `channel` is given.
      channel: a channel, in place of a target.
      credentials: of the channel to `target`, or, with a channel, of the call.
      options: of the channel to `target`.

    Raises:
      TypeError: they do not go together.
    """
    if isinstance(target, bytes):
        target = target.decode()
    if isinstance(target, str):
        if channel is not None:
            raise TypeError(f"a call goes to a target or to a channel, not both: {target!r} and channel=")
        if isinstance(credentials, grpc.CallCredentials):
            raise TypeError(
                "credentials of calls need those of a channel: put them together with "
                "grpc.composite_channel_credentials(channel_credentials, call_credentials)"
            )
        return pool_of_loop().channel(target, credentials, options), None
    if target is not None:
        channel = target
    if channel is None:
        raise TypeError('a call needs a target, as "localhost:50051", or a channel')
    if not isinstance(channel, grpc.aio.Channel):
        raise TypeError(f"a target is a str or a channel, not {type(channel).__name__}")
    if options is not None or isinstance(credentials, grpc.ChannelCredentials):
        raise TypeError("options and credentials of channels are for a target: this call was given a channel")
    return channel, credentials
