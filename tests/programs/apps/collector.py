# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""An OTLP collector that counts the spans it is sent."""

import backend  # isort: skip

import asyncio
import signal
import time

import grpc
import uvloop
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self) -> None:
        self.spans: dict[str, int] = {}

    async def Export(
        self, request: trace_service_pb2.ExportTraceServiceRequest, context: object
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.spans[span.name] = self.spans.get(span.name, 0) + 1
        return trace_service_pb2.ExportTraceServiceResponse()


async def main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server, collector = grpc.aio.server(), Collector()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    backend.emit(backend.report(server, port=port))
    before = time.process_time()
    await stop.wait()
    backend.emit(backend.report(server, since=before, spans=collector.spans))
    await server.stop(1)


uvloop.run(main())
