# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""grpcio-channelz: uvgrpc's channels and servers, beside those of grpcio's own core."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from library import EVERY_ARITY
from support import Outcome

Program = Callable[[str], Outcome]

_SETUP = """
import contextlib
from concurrent.futures import ThreadPoolExecutor
from channelz_walk import *
"""

_WALK = r"""
async def main():
    install()
    async with watched() as (channel, target, stub):
        library = stub_on(channel)
        results = await every_arity(library)
        assert (await code_of(library.Find(FindRequest()))) is grpc.StatusCode.INVALID_ARGUMENT
        port = int(target.split(":")[1])

        top = await channel_to(stub, target)
        request = pb.GetChannelRequest(channel_id=top.ref.channel_id)
        assert (await stub.GetChannel(request)).channel.ref == top.ref
        assert top.data.state.state == pb.ChannelConnectivityState.READY
        # The library's five, and the questions to channelz itself.
        assert top.data.calls_started >= 6, top
        assert (top.data.calls_succeeded, top.data.calls_failed) == (4, 1), top

        (ref,) = top.subchannel_ref
        request = pb.GetSubchannelRequest(subchannel_id=ref.subchannel_id)
        (ref,) = (await stub.GetSubchannel(request)).subchannel.socket_ref
        connection = (await stub.GetSocket(pb.GetSocketRequest(socket_id=ref.socket_id))).socket
        assert connection.ref.socket_id == ref.socket_id
        assert port_of(connection.remote) == port
        assert connection.data.streams_started >= 6
        assert connection.data.messages_sent >= 6

        server = await server_on(stub, target)
        request = pb.GetServerRequest(server_id=server.ref.server_id)
        assert (await stub.GetServer(request)).server.ref == server.ref
        assert server.data.calls_started >= 6
        (ref,) = server.listen_socket
        listening = (await stub.GetSocket(pb.GetSocketRequest(socket_id=ref.socket_id))).socket
        assert listening.local.tcpip_address.ip_address == b"\x7f\x00\x00\x01", listening

        (accepted,) = await sockets_of(stub, server)
        assert port_of(accepted.local) == port
        assert port_of(accepted.remote) == port_of(connection.local)
        ids = [top.ref.channel_id, connection.ref.socket_id, accepted.ref.socket_id, server.ref.server_id]
        assert all(map(is_young, ids)), ids
    print(json.dumps(results))

uvloop.run(main())
"""


def test_from_a_channel_and_a_server_to_their_sockets(program: Program) -> None:
    assert program(_SETUP + _WALK).result == EVERY_ARITY


_BOTH_CORES = """
@contextlib.contextmanager
def blocking():
    "The target of a server, and a channel to it, of grpcio's blocking API."
    find = grpc.unary_unary_rpc_method_handler(lambda request, context: request)
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("a.B", {"Echo": find}),))
        target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        with grpc.insecure_channel(target) as channel:
            assert channel.unary_unary("/a.B/Echo")(b"x", timeout=30) == b"x"
            yield target
        server.stop(10).wait()

async def main():
    install()
    with blocking() as theirs:
        async with watched() as (channel, ours, stub):
            await every_arity(stub_on(channel))
            for target, mine in ((ours, True), (theirs, False)):
                top, server = await channel_to(stub, target), await server_on(stub, target)
                numbers = [top.ref.channel_id, server.ref.server_id]
                assert all(is_ours(number) is mine for number in numbers), numbers
                assert min(server.data.calls_succeeded, top.data.calls_succeeded) > 0
                request = pb.GetServerRequest(server_id=server.ref.server_id)
                assert (await stub.GetServer(request)).server.listen_socket == server.listen_socket
                assert len(await sockets_of(stub, server)) == 1
            count = len((await stub.GetServers(pb.GetServersRequest())).server)
    print(json.dumps(count))

uvloop.run(main())
"""


@pytest.mark.uvgrpc_only
def test_both_cores_are_seen_side_by_side(program: Program) -> None:
    assert program(_SETUP + _BOTH_CORES).result == 2


_PAGES = """
async def main():
    install()
    channels = []
    async with watched() as (channel, target, stub):
        with contextlib.ExitStack() as stack:
            for number in range(150):
                stack.enter_context(grpc.insecure_channel(f"127.0.0.1:{20000 + number}"))
                channels.append(grpc.aio.insecure_channel(f"127.0.0.1:{30000 + number}"))
            found, pages = await top_channels(stub)
            numbers = [item.ref.channel_id for item in found]
            assert numbers == sorted(set(numbers))
            targets = sorted(item.data.target.rpartition(":")[2] for item in found)
            expected = sorted(str(base + number) for base in (20000, 30000) for number in range(150))
            targets.remove(target.rpartition(":")[2])
            assert targets == expected, targets
        for channel in channels:
            await channel.close()
    print(pages)

uvloop.run(main())
"""


def test_pages_go_on_from_one_core_to_the_other(program: Program) -> None:
    assert program(_SETUP + _PAGES).result > 1


_FROM_FAR_ON = """
async def main():
    install()
    async with watched() as (channel, target, stub):
        with grpc.insecure_channel("127.0.0.1:1"):
            assert len((await top_channels(stub))[0]) == 2
            page = await stub.GetTopChannels(pb.GetTopChannelsRequest(start_channel_id=10_000))
            servers = await stub.GetServers(pb.GetServersRequest(start_server_id=10_000))
    print(json.dumps([len(page.channel), page.end, len(servers.server), servers.end]))

uvloop.run(main())
"""


def test_a_young_process_has_small_ids(program: Program) -> None:
    assert program(_SETUP + _FROM_FAR_ON).result == [0, True, 0, True]


_SAME_AGAIN = """
async def main():
    install()
    async with watched() as (channel, target, stub):
        before, count = await channel_to(stub, target), len((await top_channels(stub))[0])
        theirs = [grpc.insecure_channel(f"127.0.0.1:{20000 + number}") for number in range(20)]
        ours = [grpc.aio.insecure_channel(f"127.0.0.1:{30000 + number}") for number in range(20)]
        found = (await top_channels(stub))[0]
        assert (await channel_to(stub, target)).ref == before.ref
        for item in found:
            request = pb.GetChannelRequest(channel_id=item.ref.channel_id)
            assert (await stub.GetChannel(request)).channel.data.target == item.data.target
        for start in range(45):
            request = pb.GetTopChannelsRequest(start_channel_id=start)
            numbers = [item.ref.channel_id for item in (await stub.GetTopChannels(request)).channel]
            expected = [item.ref.channel_id for item in found if item.ref.channel_id >= start]
            assert numbers == expected, (start, numbers, expected)
        for one in theirs:
            one.close()
        for one in ours:
            await one.close()
    print(len(found) - count)

uvloop.run(main())
"""


def test_an_id_stays_what_it_is_and_pages_begin_anywhere(program: Program) -> None:
    assert program(_SETUP + _SAME_AGAIN).result == 40


_SOCKET_PAGES = """
async def main():
    install()
    async with watched() as (channel, target, stub):
        server = await server_on(stub, target)
        own_connection = [("grpc.use_local_subchannel_pool", 1)]
        channels = [grpc.aio.insecure_channel(target, options=own_connection) for _ in range(4)]
        for other in channels:
            await stub_on(other).Find(FindRequest(title="Emma"))
        found, end = [], False
        while not end:
            request = pb.GetServerSocketsRequest(
                server_id=server.ref.server_id,
                start_socket_id=found[-1] + 1 if found else 0,
                max_results=2,
            )
            page = await stub.GetServerSockets(request)
            assert len(page.socket_ref) <= 2
            found += [ref.socket_id for ref in page.socket_ref]
            end = page.end
        assert found == sorted(set(found))
        for other in channels:
            await other.close()
    print(len(found))

uvloop.run(main())
"""


def test_the_sockets_of_a_server_in_pages(program: Program) -> None:
    assert program(_SETUP + _SOCKET_PAGES).result == 5


_NOT_THERE = """
async def main():
    install()
    async with watched() as (channel, target, stub):
        codes = []
        for base in (0, 1):
            for call, request in (
                (stub.GetServer, pb.GetServerRequest(server_id=base + 9999)),
                (stub.GetServerSockets, pb.GetServerSocketsRequest(server_id=base + 9999)),
                (stub.GetChannel, pb.GetChannelRequest(channel_id=base + 9999)),
                (stub.GetSubchannel, pb.GetSubchannelRequest(subchannel_id=base + 9999)),
                (stub.GetSocket, pb.GetSocketRequest(socket_id=base + 9999)),
            ):
                error = await error_of(call(request))
                assert str(base + 9999) in error.details(), error.details()
                codes.append(error.code().name)
    print(json.dumps(codes))

uvloop.run(main())
"""


def test_an_id_that_nothing_has_is_not_found(program: Program) -> None:
    source = _SETUP + "from support import error_of\n" + _NOT_THERE
    assert program(source).result == ["NOT_FOUND"] * 10


_TAKEN_OUT = """
from grpc._cython import cygrpc
names = [name for name in dir(cygrpc) if name.startswith("channelz_get_")] + ["dump_xds_configs"]
stock = [getattr(cygrpc, name) for name in names]
uvgrpc.install()
uvgrpc.install()
replaced = [getattr(cygrpc, name) is not function for name, function in zip(names, stock)]
uvgrpc.uninstall()
restored = [getattr(cygrpc, name) is function for name, function in zip(names, stock)]
print(json.dumps([len(names), all(replaced), all(restored)]))
"""


@pytest.mark.uvgrpc_only
def test_uninstall_gives_grpcio_its_functions_back(program: Program) -> None:
    assert program(_TAKEN_OUT).result == [8, True, True]
