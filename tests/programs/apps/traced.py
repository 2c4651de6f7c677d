# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""RPCs under OpenTelemetry's instrumentation of grpc.aio, exported by OTLP: traced.py COLLECTOR CALLS."""

import backend  # isort: skip

import sys
import time

import uvloop
from greeting import greet
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.grpc import GrpcAioInstrumentorClient, GrpcAioInstrumentorServer
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

target, calls = sys.argv[1], int(sys.argv[2])
provider = TracerProvider()
exporter = OTLPSpanExporter(endpoint=target, insecure=True)
provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=1 << 17, max_export_batch_size=512))
trace.set_tracer_provider(provider)
GrpcAioInstrumentorServer().instrument()
GrpcAioInstrumentorClient().instrument()


async def main() -> None:
    before = time.process_time()
    server, channel = await greet(calls)
    assert provider.force_flush(30_000)
    backend.emit(backend.report(server, channel, since=before))


uvloop.run(main())
provider.shutdown()
