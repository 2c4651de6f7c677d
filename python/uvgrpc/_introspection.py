# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What grpc_channelz, grpc_csds and grpc_admin read, for both cores of the process.

Those packages ask functions of grpcio's Cython module, which know of grpcio's core
only. patch() puts functions in their place that ask uvgrpc's core too.

Each core counts its ids from 1. Those of uvgrpc's are shown OURS higher, wherever one
occurs, so that an id tells whom to ask, and a list goes on with uvgrpc's objects where
grpcio's end.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from typing import Any

from uvgrpc import _core

# What ids of uvgrpc's core are shown higher by; no core gets there by counting.
OURS = 2**40

# Every field of channelz's messages that holds an id.
_ID_FIELDS = frozenset(("channelId", "subchannelId", "serverId", "socketId"))

# Any: what is private to grpcio has no types.
_cygrpc: Any = importlib.import_module("grpc._cython.cygrpc")

Query = Callable[..., bytes]


def _shown(value: Any) -> Any:
    """A value of uvgrpc's JSON with its ids as they are shown."""
    if isinstance(value, list):
        return [_shown(item) for item in value]
    if isinstance(value, dict):
        return {
            key: str(int(item) + OURS) if key in _ID_FIELDS else _shown(item) for key, item in value.items()
        }
    return value


def _lister(stock: Query, ours: Callable[[int], bytes], field: str) -> Query:
    """A query for the objects, in the list `field`, from an id on."""

    def listed(start_id: int) -> bytes:
        found: list[Any] = []
        if start_id < OURS:
            answer = stock(start_id)
            page = json.loads(answer)
            if not page.get("end"):
                return answer
            found = page.get(field, [])
        page = json.loads(ours(max(start_id - OURS, 0)))
        page[field] = found + _shown(page.get(field, []))
        return json.dumps(page).encode()

    return listed


def _getter(stock: Query, ours: Callable[[int], bytes | None], kind: str) -> Query:
    """A query for the object with an id.

    It raises ValueError where there is none, as grpcio's does.
    """

    def got(object_id: int) -> bytes:
        if object_id < OURS:
            return stock(object_id)
        answer = ours(object_id - OURS)
        if answer is None:
            raise ValueError(f"Failed to get the {kind}, please ensure your {kind}_id=={object_id} is valid")
        return json.dumps(_shown(json.loads(answer))).encode()

    return got


def _server_sockets(stock: Query) -> Query:
    def sockets(server_id: int, start_socket_id: int, max_results: int) -> bytes:
        if server_id < OURS:
            return stock(server_id, start_socket_id, max_results)
        answer = _core.channelz_get_server_sockets(
            server_id - OURS, max(start_socket_id - OURS, 0), max_results
        )
        if answer is None:
            raise ValueError(
                f"Failed to get server sockets, please ensure your server_id=={server_id} and "
                f"start_socket_id=={start_socket_id} and max_results=={max_results} is valid"
            )
        return json.dumps(_shown(json.loads(answer))).encode()

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
