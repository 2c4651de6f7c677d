# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""grpcio-channelz asked from any thread, while loops work, close and are gone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support import Outcome

Program = Callable[[str], Outcome]

_SETUP = """
import contextlib
from concurrent.futures import ThreadPoolExecutor
from channelz_walk import *
"""

_FROM_POOL_THREADS = """
async def main():
    install()
    with ThreadPoolExecutor(4) as pool:
        servicer = channelz.ChannelzServicer()
        register = lambda server: channelz_pb2_grpc.add_ChannelzServicer_to_server(servicer, server)
        async with serving(register, migration_thread_pool=pool) as target:
            async with grpc.aio.insecure_channel(target) as channel:
                stub, library = channelz_pb2_grpc.ChannelzStub(channel), stub_on(channel)
                busy = True

                async def traffic():
                    calls = 0
                    while busy:
                        assert await every_arity(library) == EVERY_ARITY
                        calls += 1
                    return calls

                callers = [asyncio.ensure_future(traffic()) for _ in range(4)]
                for _ in range(50):
                    await asyncio.gather(server_on(stub, target), channel_to(stub, target))
                busy = False
                assert min(await asyncio.gather(*callers)) > 0
    print(json.dumps(True))

uvloop.run(main())
"""


def test_questions_from_threads_while_the_loop_works(program: Program) -> None:
    assert program(_SETUP + _FROM_POOL_THREADS).result is True


_CLOSED_LOOP = """
from grpc._cython import cygrpc

kept = []

async def main():
    install()
    server = grpc.aio.server()
    target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    channel = grpc.aio.insecure_channel(target)
    await channel.channel_ready()
    kept.extend([server, channel])

def count():
    servers = json.loads(cygrpc.channelz_get_servers(0))["server"]
    channels = json.loads(cygrpc.channelz_get_top_channels(0))["channel"]
    return len(servers), len(channels)

uvloop.run(main())
with ThreadPoolExecutor(1) as pool:
    closed = [count(), pool.submit(count).result()]
kept.clear()
gc.collect()
# Asked again, nothing of the loop is in the way of what is made on another.
async def again():
    async with watched() as (channel, target, stub):
        return (await channel_to(stub, target)).data.calls_started > 0
print(json.dumps([closed[0] == tuple(closed[1]), uvloop.run(again()), count()]))
"""


@pytest.mark.uvgrpc_only
def test_what_is_left_of_a_closed_loop(program: Program) -> None:
    assert program(_SETUP + _CLOSED_LOOP).result == [True, True, [0, 0]]


_LOOPS_COME_AND_GO = """
from grpc._cython import cygrpc

install()
over = threading.Event()
kept = []

def ask():
    questions = 0
    while not over.is_set():
        for server in json.loads(cygrpc.channelz_get_servers(0))["server"]:
            with contextlib.suppress(ValueError):  # gone meanwhile
                number = int(server["ref"]["serverId"])
                for ref in json.loads(cygrpc.channelz_get_server_sockets(number, 0, 0))["socketRef"]:
                    cygrpc.channelz_get_socket(int(ref["socketId"]))
        for channel in json.loads(cygrpc.channelz_get_top_channels(0))["channel"]:
            for ref in channel["subchannelRef"]:
                with contextlib.suppress(ValueError):
                    cygrpc.channelz_get_subchannel(int(ref["subchannelId"]))
        questions += 1
    return questions

async def tidy():
    async with calling() as channel:
        assert await every_arity(stub_on(channel)) == EVERY_ARITY

async def untidy():
    server = grpc.aio.server()
    library_pb2_grpc.add_LibraryServicer_to_server(Library(), server)
    target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    channel = grpc.aio.insecure_channel(target)
    assert await every_arity(stub_on(channel)) == EVERY_ARITY
    kept.append((server, channel))

with ThreadPoolExecutor(2) as pool:
    asking = [pool.submit(ask) for _ in range(2)]
    for number in range(60):
        uvloop.run(tidy() if number % 2 else untidy())
        if number % 10 == 9:
            kept.clear()
    over.set()
    print(json.dumps(min(answer.result() for answer in asking) > 0))
"""


@pytest.mark.uvgrpc_only
def test_questions_while_loops_come_and_go(program: Program) -> None:
    assert program(_SETUP + _LOOPS_COME_AND_GO).result is True
