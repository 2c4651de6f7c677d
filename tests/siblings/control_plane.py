# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""A control plane for xDS clients: one listener, whose cluster has one endpoint."""

from __future__ import annotations

import json
import os
import queue
import threading
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import address_pb2, config_source_pb2
from envoy.config.endpoint.v3 import endpoint_components_pb2, endpoint_pb2
from envoy.config.listener.v3 import api_listener_pb2, listener_pb2
from envoy.config.route.v3 import route_components_pb2, route_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from envoy.service.discovery.v3 import ads_pb2_grpc, discovery_pb2
from google.protobuf import any_pb2

NAME = "service"
_ADS = config_source_pb2.ConfigSource(
    ads=config_source_pb2.AggregatedConfigSource(),
    resource_api_version=config_source_pb2.ApiVersion.V3,
)


def _packed(message: Any) -> any_pb2.Any:
    box = any_pb2.Any()
    box.Pack(message)
    return box


def _listener() -> Any:
    route = route_components_pb2.Route(
        match=route_components_pb2.RouteMatch(prefix=""),
        route=route_components_pb2.RouteAction(cluster=NAME),
    )
    host = route_components_pb2.VirtualHost(name=NAME, domains=["*"], routes=[route])
    manager = http_connection_manager_pb2.HttpConnectionManager(
        route_config=route_pb2.RouteConfiguration(name=NAME, virtual_hosts=[host]),
        http_filters=[
            http_connection_manager_pb2.HttpFilter(name="router", typed_config=_packed(router_pb2.Router()))
        ],
    )
    return listener_pb2.Listener(
        name=NAME, api_listener=api_listener_pb2.ApiListener(api_listener=_packed(manager))
    )


def _cluster() -> Any:
    return cluster_pb2.Cluster(
        name=NAME,
        type=cluster_pb2.Cluster.EDS,
        eds_cluster_config=cluster_pb2.Cluster.EdsClusterConfig(eds_config=_ADS),
    )


def _endpoints(port: int) -> Any:
    address = address_pb2.Address(
        socket_address=address_pb2.SocketAddress(address="127.0.0.1", port_value=port)
    )
    group = endpoint_components_pb2.LocalityLbEndpoints(
        locality={"region": "here"},
        load_balancing_weight={"value": 1},
        lb_endpoints=[
            endpoint_components_pb2.LbEndpoint(endpoint=endpoint_components_pb2.Endpoint(address=address))
        ],
    )
    return endpoint_pb2.ClusterLoadAssignment(cluster_name=NAME, endpoints=[group])


class ControlPlane(ads_pb2_grpc.AggregatedDiscoveryServiceServicer):
    """On grpcio's own server, in threads of its own. As a context it names itself in the environment."""

    def __init__(self, port: int) -> None:
        self._mutex = threading.Lock()
        self._endpoint = port
        self._version = 1
        self._streams: set[queue.SimpleQueue[Any]] = set()
        self.opened = 0
        """How many streams there have been."""

    def move(self, port: int) -> None:
        """Tells all clients that the endpoint is now at `port`."""
        with self._mutex:
            self._endpoint = port
            self._version += 1
            for stream in self._streams:
                stream.put("endpoints")

    def StreamAggregatedResources(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:
        events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        with self._mutex:
            self._streams.add(events)
            self.opened += 1

        def read() -> None:
            try:
                for request in requests:
                    # The first of its kind; the others acknowledge.
                    if not request.response_nonce:
                        events.put(request.type_url)
            except Exception:
                pass
            events.put(None)

        threading.Thread(target=read, daemon=True).start()
        endpoint_type = _packed(_endpoints(1)).type_url
        wants_endpoints = False
        try:
            while (event := events.get()) is not None:
                if event == endpoint_type:
                    wants_endpoints = True
                if event == "endpoints" and not wants_endpoints:
                    continue
                with self._mutex:
                    made = [_listener(), _cluster(), _endpoints(self._endpoint)]
                    version = str(self._version)
                kind = endpoint_type if event == "endpoints" else event
                boxes = [box for box in map(_packed, made) if box.type_url == kind]
                yield discovery_pb2.DiscoveryResponse(
                    version_info=version, resources=boxes, type_url=kind, nonce=version
                )
        finally:
            with self._mutex:
                self._streams.discard(events)

    def __enter__(self) -> ControlPlane:
        self._server = grpc.server(futures.ThreadPoolExecutor(8))
        ads_pb2_grpc.add_AggregatedDiscoveryServiceServicer_to_server(self, self._server)
        port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        os.environ["GRPC_XDS_BOOTSTRAP_CONFIG"] = json.dumps(
            {
                "xds_servers": [{"server_uri": f"127.0.0.1:{port}", "channel_creds": [{"type": "insecure"}]}],
                "node": {"id": "node"},
            }
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(0).wait()
