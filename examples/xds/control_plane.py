# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""A control plane for the target xds:///greeter: python control_plane.py PORT ENDPOINT_PORT...

Each line of its input names the endpoints' ports anew.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from envoy.config.cluster.v3 import cluster_pb2  # noqa: F401  (these are known by their names below)
from envoy.config.endpoint.v3 import endpoint_pb2  # noqa: F401
from envoy.config.listener.v3 import listener_pb2  # noqa: F401
from envoy.extensions.filters.http.router.v3 import router_pb2  # noqa: F401
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2,  # noqa: F401
)
from envoy.service.discovery.v3.ads_pb2_grpc import AggregatedDiscoveryServiceServicer
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryResponse
from google.protobuf.any_pb2 import Any as Box
from google.protobuf.json_format import ParseDict

import uvgrpc

NAME = "greeter"
TYPES = "type.googleapis.com/envoy."
ENDPOINTS = TYPES + "config.endpoint.v3.ClusterLoadAssignment"

ROUTE = {"name": NAME, "domains": ["*"], "routes": [{"match": {"prefix": ""}, "route": {"cluster": NAME}}]}
ROUTER = {"name": "router", "typedConfig": {"@type": TYPES + "extensions.filters.http.router.v3.Router"}}
MANAGER = {
    "@type": TYPES + "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    "routeConfig": {"name": NAME, "virtualHosts": [ROUTE]},
    "httpFilters": [ROUTER],
}
LISTENER = {
    "@type": TYPES + "config.listener.v3.Listener",
    "name": NAME,
    "apiListener": {"apiListener": MANAGER},
}
CLUSTER = {
    "@type": TYPES + "config.cluster.v3.Cluster",
    "name": NAME,
    "type": "EDS",
    "edsClusterConfig": {"edsConfig": {"ads": {}, "resourceApiVersion": "V3"}},
}


def endpoints(ports: list[int]) -> dict[str, Any]:
    addresses = [{"socketAddress": {"address": "127.0.0.1", "portValue": port}} for port in ports]
    group = {
        "locality": {"region": "here"},
        "loadBalancingWeight": 1,
        "lbEndpoints": [{"endpoint": {"address": address}} for address in addresses],
    }
    return {"@type": ENDPOINTS, "clusterName": NAME, "endpoints": [group]}


class ControlPlane(AggregatedDiscoveryServiceServicer):
    def __init__(self, ports: list[int]) -> None:
        self._version = 0
        self._streams: set[asyncio.Queue[str | None]] = set()
        self.move(ports)

    def move(self, ports: list[int]) -> None:
        """Tells all clients where the endpoints are now."""
        self._resources = {one["@type"]: one for one in (LISTENER, CLUSTER, endpoints(ports))}
        self._version += 1
        for wanted in self._streams:
            wanted.put_nowait(ENDPOINTS)

    async def StreamAggregatedResources(self, context: uvgrpc.ServicerContext[Any, Any]) -> None:
        wanted: asyncio.Queue[str | None] = asyncio.Queue()
        reading = asyncio.create_task(self._read(context, wanted))
        try:
            while (kind := await wanted.get()) is not None:
                if kind == ENDPOINTS:
                    self._streams.add(wanted)
                boxes = [ParseDict(self._resources[kind], Box())] if kind in self._resources else []
                version = str(self._version)
                await context.send(
                    DiscoveryResponse(version_info=version, resources=boxes, type_url=kind, nonce=version)
                )
        finally:
            reading.cancel()
            self._streams.discard(wanted)

    async def _read(self, context: uvgrpc.ServicerContext[Any, Any], wanted: asyncio.Queue[Any]) -> None:
        async for request in context:
            # The first request for a type; what has a nonce acknowledges a response.
            if not request.response_nonce:
                wanted.put_nowait(request.type_url)
        wanted.put_nowait(None)


async def main(port: str, ports: list[int]) -> None:
    plane = ControlPlane(ports)
    server = uvgrpc.server(grace=0)
    server.add_servicer(plane)
    port = str(server.add_insecure_port(f"127.0.0.1:{port}"))
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with server:
        print(f"listening on port {port}", flush=True)
        while line := await lines.readline():
            plane.move([int(word) for word in line.split()])


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    uvgrpc.run(main(sys.argv[1], [int(argument) for argument in sys.argv[2:]]))
