# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Finding one's way through channelz, for the programs of test_channelz*.py."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
from grpc_channelz.v1 import channelz, channelz_pb2_grpc
from grpc_channelz.v1 import channelz_pb2 as pb
from library import STOCK, serving


def is_ours(number: int) -> bool:
    """Whether an id is one of uvgrpc's core."""
    return number % 2 == 0


def is_young(number: int) -> bool:
    """Whether an id is as small as the process is young."""
    return 0 < number < 10_000 and (STOCK or is_ours(number))


@contextlib.asynccontextmanager
async def watched() -> AsyncIterator[tuple[Any, str, Any]]:
    """A channel to a server that has the library and channelz; its target; channelz's stub."""
    async with (
        serving(channelz.add_channelz_servicer) as target,
        grpc.aio.insecure_channel(target) as channel,
    ):
        yield channel, target, channelz_pb2_grpc.ChannelzStub(channel)


async def top_channels(stub: Any) -> tuple[list[Any], int]:
    """All of them, page by page, and how many pages there were."""
    found: list[Any] = []
    pages, end = 0, False
    while not end:
        start = found[-1].ref.channel_id + 1 if found else 0
        page = await stub.GetTopChannels(pb.GetTopChannelsRequest(start_channel_id=start))
        found += page.channel
        end = page.end
        pages += 1
    return found, pages


async def channel_to(stub: Any, target: str) -> Any:
    (found,) = (item for item in (await top_channels(stub))[0] if target in item.data.target)
    return found


async def sockets_of(stub: Any, server: Any) -> list[Any]:
    request = pb.GetServerSocketsRequest(server_id=server.ref.server_id)
    refs = (await stub.GetServerSockets(request)).socket_ref
    return [(await stub.GetSocket(pb.GetSocketRequest(socket_id=ref.socket_id))).socket for ref in refs]


async def server_on(stub: Any, target: str) -> Any:
    """The server that has a connection at `target`."""
    for server in (await stub.GetServers(pb.GetServersRequest())).server:
        for socket in await sockets_of(stub, server):
            if port_of(socket.local) == int(target.split(":")[1]):
                return server
    raise AssertionError(f"no server has a connection at {target}")


def port_of(address: Any) -> int:
    port: int = address.tcpip_address.port
    return port
