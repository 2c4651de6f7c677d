# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""grpcio-admin and grpcio-csds: on an async server, with what both cores know."""

from __future__ import annotations

from collections.abc import Callable

from library import EVERY_ARITY
from support import Outcome

Program = Callable[[str], Outcome]

_SETUP = """
import grpc_admin
import grpc_csds
from envoy.service.status.v3 import csds_pb2, csds_pb2_grpc
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc

Request = csds_pb2.ClientStatusRequest
"""

_ADMIN = """
async def main():
    install()
    async with calling(grpc_admin.add_admin_servicers) as channel:
        channelz = channelz_pb2_grpc.ChannelzStub(channel)
        servers = (await channelz.GetServers(channelz_pb2.GetServersRequest())).server
        csds = csds_pb2_grpc.ClientStatusDiscoveryServiceStub(channel)
        answer = await csds.FetchClientStatus(Request())
        print(json.dumps([len(servers), len(answer.config), await every_arity(stub_on(channel))]))

uvloop.run(main())
"""


def test_admin_services_beside_ones_own(program: Program) -> None:
    assert program(_SETUP + _ADMIN).result == [1, 0, EVERY_ARITY]


_XDS = """
import socket

NODE = "node-of-the-test"
# Takes connections and never says a word: what is asked for stays asked for.
xds_server = socket.create_server(("127.0.0.1", 0))
os.environ["GRPC_XDS_BOOTSTRAP_CONFIG"] = json.dumps(
    {
        "xds_servers": [
            {
                "server_uri": f"127.0.0.1:{xds_server.getsockname()[1]}",
                "channel_creds": [{"type": "insecure"}],
            }
        ],
        "node": {"id": NODE},
    }
)

def seen(answer):
    "The listeners that are asked for, by the target that asks."
    return {
        config.client_scope: [resource.name for resource in config.generic_xds_configs]
        for config in answer.config
        if config.node.id == NODE
    }
"""

_ASKED = """
async def main():
    install()
    async with calling(grpc_csds.add_csds_servicer) as channel:
        stub = csds_pb2_grpc.ClientStatusDiscoveryServiceStub(channel)
        ours = grpc.aio.insecure_channel("xds:///by-aio")
        theirs = grpc.insecure_channel("xds:///by-blocking")
        ours.get_state(try_to_connect=True)
        theirs.subscribe(lambda state: None, try_to_connect=True)
        expected = {"xds:/by-aio": ["by-aio"], "xds:/by-blocking": ["by-blocking"]}
        answer = await stub.FetchClientStatus(Request())
        while seen(answer) != expected:
            await asyncio.sleep(0.01)
            answer = await stub.FetchClientStatus(Request())

        async def requests():
            for _ in range(3):
                yield Request()

        streamed = [seen(answer) async for answer in stub.StreamClientStatus(requests())]
        theirs.close()
        await ours.close()
        xds_server.close()
        print(json.dumps([seen(answer) == expected, [item == expected for item in streamed]]))

uvloop.run(asyncio.wait_for(main(), 20))
"""


def test_xds_clients_of_both_cores(program: Program) -> None:
    assert program(_SETUP + _XDS + _ASKED).result == [True, [True] * 3]
