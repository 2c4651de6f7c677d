# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""fork(): the child lets go of all that its parent has open.

The parent notices nothing. In the child the parent's connections and ports are
gone: its sockets lead nowhere, its servers are stopped, and channels connect anew on
the next loop that uses them.

As with any library, a fork() is safe only while no other thread is inside it: while
no other thread runs a loop that uvgrpc is used on.
"""

from __future__ import annotations

import os
import weakref
from typing import Any, Protocol

from uvgrpc import _core


class Bound(Protocol):
    """What is tied to a loop of this process."""

    def _leave_parent(self) -> Any:
        """Forgets the loop of the parent; returns what it had there."""


_bound: weakref.WeakSet[Bound] = weakref.WeakSet()

# What a child has of its parent's. Kept: its destruction is no business of fork()'s.
_left_behind: list[Any] = []


def leave_in_child(target: Bound) -> None:
    """Has `target` told in the child of a fork(). Held weakly."""
    _bound.add(target)


def _after_in_child() -> None:
    _core.replace_sockets()
    _left_behind.extend(target._leave_parent() for target in _bound)
    _bound.clear()


os.register_at_fork(after_in_child=_after_in_child)
