# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What grpc_channelz, grpc_csds and grpc_admin read, for both cores of the process.

Those packages ask functions of grpcio's Cython module, which know of grpcio's core
only. patch() puts functions in their place that ask uvgrpc's core too.

Each core counts its ids from 1. Shown are even numbers for uvgrpc's and odd ones for
grpcio's, wherever an id occurs: so an id tells whom to ask, stays what it is, and is as
small as it can be. A list has both in the order of the numbers, as its pages demand: each
goes on where the one before it ended.
"""

from __future__ import annotations

import contextlib
import importlib
import json
from collections.abc import Callable
from typing import Any

from uvgrpc import _core

# Every field of channelz's messages that holds an id.
_ID_FIELDS = frozenset(("channelId", "subchannelId", "serverId", "socketId"))

# Any: what is private to grpcio has no types.
_cygrpc: Any = importlib.import_module("grpc._cython.cygrpc")

Query = Callable[..., bytes]


class _Numbers:
    """Ids of one core, as it counts them and as they are shown.

    Args:
      offset: 0 for uvgrpc's core, 1 for grpcio's.
    """

    def __init__(self, offset: int) -> None:
        self._offset = offset

    def own(self, shown: int) -> int:
        """Whose number `shown` is; for one of the other core's, the next that is larger."""
        return max(shown + self._offset + 1, 0) // 2

    def shown(self, value: Any) -> Any:
        """A value of the core's JSON with its ids as they are shown."""
        if isinstance(value, list):
            return [self.shown(item) for item in value]
        if isinstance(value, dict):
            return {
                key: str(2 * int(item) - self._offset) if key in _ID_FIELDS else self.shown(item)
                for key, item in value.items()
            }
        return value

    def answer(self, core: bytes) -> bytes:
        """The core's answer as it is shown."""
        return json.dumps(self.shown(json.loads(core))).encode()


_OURS = _Numbers(0)
_STOCKS = _Numbers(1)


def _is_ours(shown: int) -> bool:
    return shown % 2 == 0


def _lister(stock: Query, ours: Callable[[int], bytes], field: str) -> Query:
    """A query for the objects, in the list `field`, from an id on."""

    def number(item: Any) -> int:
        return int(item["ref"][f"{field}Id"])

    def listed(start_id: int) -> bytes:
        found: list[Any] = []
        # The largest number up to which both lists are known.
        limit: int | None = None
        for numbers, query in ((_STOCKS, stock), (_OURS, ours)):
            page = numbers.shown(json.loads(query(numbers.own(start_id))))
            items = page.get(field, [])
            found += items
            if items and not page.get("end"):
                last = number(items[-1])
                limit = last if limit is None else min(limit, last)
        known = [item for item in found if limit is None or number(item) <= limit]
        answer: dict[str, Any] = {field: sorted(known, key=number)}
        if limit is None:
            answer["end"] = True
        return json.dumps(answer).encode()

    return listed


def _getter(stock: Query, ours: Callable[[int], bytes | None], kind: str) -> Query:
    """A query for the object with an id.

    It raises ValueError where there is none, as grpcio's does.
    """

    def got(object_id: int) -> bytes:
        answer = None
        if _is_ours(object_id):
            answer = ours(_OURS.own(object_id))
        else:
            # For an error that names the id as it was asked for.
            with contextlib.suppress(ValueError):
                return _STOCKS.answer(stock(_STOCKS.own(object_id)))
        if answer is None:
            raise ValueError(f"Failed to get the {kind}, please ensure your {kind}_id=={object_id} is valid")
        return _OURS.answer(answer)

    return got


def _server_sockets(stock: Query) -> Query:
    def sockets(server_id: int, start_socket_id: int, max_results: int) -> bytes:
        answer = None
        if _is_ours(server_id):
            answer = _core.channelz_get_server_sockets(
                _OURS.own(server_id), _OURS.own(start_socket_id), max_results
            )
        else:
            with contextlib.suppress(ValueError):
                return _STOCKS.answer(
                    stock(_STOCKS.own(server_id), _STOCKS.own(start_socket_id), max_results)
                )
        if answer is None:
            raise ValueError(
                f"Failed to get server sockets, please ensure your server_id=={server_id} and "
                f"start_socket_id=={start_socket_id} and max_results=={max_results} is valid"
            )
        return _OURS.answer(answer)

    return sockets


def _xds_configs(stock: Query) -> Query:
    # Messages of protobuf are merged by joining their bytes; the response is one list.
    return lambda: stock() + _core.dump_xds_configs()


# What each function of grpcio's module is replaced by, made from the function itself.
_REPLACEMENTS: dict[str, Callable[[Query], Query]] = {
    "channelz_get_top_channels": lambda stock: _lister(stock, _core.channelz_get_top_channels, "channel"),
    "channelz_get_servers": lambda stock: _lister(stock, _core.channelz_get_servers, "server"),
    "channelz_get_server": lambda stock: _getter(stock, _core.channelz_get_server, "server"),
    "channelz_get_channel": lambda stock: _getter(stock, _core.channelz_get_channel, "channel"),
    "channelz_get_subchannel": lambda stock: _getter(stock, _core.channelz_get_subchannel, "subchannel"),
    "channelz_get_socket": lambda stock: _getter(stock, _core.channelz_get_socket, "socket"),
    "channelz_get_server_sockets": _server_sockets,
    "dump_xds_configs": _xds_configs,
}

_replaced: dict[str, Query] = {}


def patch() -> None:
    """Makes grpcio's functions tell of both cores."""
    for name, replace in _REPLACEMENTS.items():
        _replaced[name] = getattr(_cygrpc, name)
        setattr(_cygrpc, name, replace(_replaced[name]))


def unpatch() -> None:
    """Gives grpcio its own functions back."""
    while _replaced:
        name, stock = _replaced.popitem()
        setattr(_cygrpc, name, stock)
