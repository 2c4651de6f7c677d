# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What outgoing calls take over: of the block that they are made in, and of the RPC that is served."""

from __future__ import annotations

import contextlib
import contextvars
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from uvgrpc import _core

# False for nothing, True for the deadline and cancellation of the RPC that is served; names of
# metadata have these passed on, too.
Propagation = bool | Sequence[str]

# On the clock of time.monotonic().
ambient: contextvars.ContextVar[float | None] = contextvars.ContextVar("uvgrpc.deadline", default=None)
# What a handler runs for, on servers of either API.
current_rpc: contextvars.ContextVar[_core.ServicerContext | None] = contextvars.ContextVar(
    "uvgrpc.current_rpc", default=None
)
# Programs without channels of this API, which alone look at it, do not come here.
_core.keep_current_rpc(current_rpc)


class Deadline:
    """A point of time that calls made in a block end at. See deadline()."""

    def __init__(self, at: float) -> None:
        self._at = at

    def remaining(self) -> float:
        """Seconds that are left, at least 0."""
        return max(self._at - time.monotonic(), 0.0)


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[Deadline]:
    """Bounds the time of all calls that are made in a block, by uvgrpc's own channels.

    Each gets as its deadline what is left of the time, if its own `timeout` is not shorter. The
    block itself is not interrupted. Tasks that are made in the block take the bound along; one
    within another cannot extend it::

        with uvgrpc.deadline(2.0):
            user = await stub.GetUser(request)
            orders = await stub.ListOrders(user)

    Args:
      seconds: how long, from now.

    Raises:
      ValueError: `seconds` is negative, or not a number.
    """
    if not seconds >= 0:
        raise ValueError(f"a deadline must be a number of seconds that is not negative, got {seconds!r}")
    at = time.monotonic() + seconds
    outer = ambient.get()
    if outer is not None:
        at = min(at, outer)
    token = ambient.set(at)
    try:
        yield Deadline(at)
    finally:
        ambient.reset(token)


class Inherited(NamedTuple):
    """What a call is to be started with, and the RPC whose cancellation is to cancel it."""

    timeout: float | None
    metadata: Any
    rpc: _core.ServicerContext | None


def inherit(timeout: float | None, metadata: Any, propagation: Propagation) -> Inherited:
    """What a call is started with that was asked for with `timeout` and `metadata`.

    Raises:
      TypeError: `propagation` is neither a bool nor names of metadata.
    """
    limits = [] if timeout is None else [timeout]
    at = ambient.get()
    if at is not None:
        limits.append(max(at - time.monotonic(), 0.0))
    rpc = current_rpc.get() if propagation else None
    if rpc is not None:
        remaining = rpc.time_remaining()
        if remaining is not None:
            limits.append(remaining)
        if propagation is not True:
            metadata = (*(metadata or ()), *_named(rpc, propagation))
    return Inherited(min(limits, default=None), metadata, rpc)


def check_propagation(propagation: Any) -> None:
    """Raises TypeError if it is neither a bool nor names of metadata."""
    if isinstance(propagation, bool):
        return
    if isinstance(propagation, (str, bytes)) or not isinstance(propagation, Iterable):
        raise TypeError(f"propagate must be a bool, or names of metadata to pass on, got {propagation!r}")
    wrong = [name for name in propagation if not isinstance(name, str)]
    if wrong:
        raise TypeError(f"propagate: names of metadata must be str, got {wrong[0]!r}")


def _named(rpc: _core.ServicerContext, names: Any) -> list[tuple[str, str | bytes]]:
    wanted = {name.lower() for name in names}
    return [(key, value) for key, value in rpc.invocation_metadata() if key in wanted]
