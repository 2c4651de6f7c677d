# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Two servers, a client, and the trace of a call through all of them: python traced.py"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import grpc
from opentelemetry.instrumentation.grpc import aio_client_interceptors, aio_server_interceptor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import uvgrpc

protos = uvgrpc.proto("greeter.proto")
exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))


class Slow(grpc.aio.UnaryUnaryClientInterceptor):
    """An interceptor of one's own: how many calls took longer than they should."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self.quick = self.slow = 0

    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        started = time.monotonic()
        call = await continuation(details, request)
        await call.code()
        if time.monotonic() - started > self._limit:
            self.slow += 1
        else:
            self.quick += 1
        return call


class Back:
    async def Hi(self, request: Any, context: Any) -> Any:
        return protos.HelloReply(message=f"Hello from the back, {request.name}!")


class Front:
    def __init__(self, back: uvgrpc.Channel) -> None:
        self._back = protos.Greeter(back)

    async def Hi(self, request: Any, context: Any) -> Any:
        # The deadline of the RPC goes along; the trace does by the interceptors.
        return await self._back.Hi(request, propagate=True)


def server_of(servicer: object) -> tuple[uvgrpc.Server, int]:
    server = uvgrpc.server(interceptors=[aio_server_interceptor(tracer_provider=provider)])
    server.add_servicer(servicer, protos.Greeter)
    return server, server.add_insecure_port("localhost:0")


def channel_to(port: int, *more: grpc.aio.ClientInterceptor) -> uvgrpc.Channel:
    interceptors = [*more, *aio_client_interceptors(tracer_provider=provider)]
    return uvgrpc.insecure_channel(f"localhost:{port}", interceptors=interceptors)


def print_tree(spans: Sequence[ReadableSpan], parent: int | None = None, depth: int = 0) -> None:
    for span in spans:
        if (span.parent.span_id if span.parent else None) == parent:
            code = span.attributes["rpc.grpc.status_code"]
            name = next(code_.name for code_ in grpc.StatusCode if code_.value[0] == code)
            print("  " * depth + f"{span.name} {span.kind.name.lower()} {name}")
            print_tree(spans, span.context.span_id, depth + 1)


async def main() -> None:
    slow = Slow(1.0)
    back, back_port = server_of(Back())
    async with back, channel_to(back_port) as to_back:
        front, front_port = server_of(Front(to_back))
        async with front, channel_to(front_port, slow) as channel:
            reply = await protos.Greeter(channel).Hi({"name": "Ada"}, timeout=5)
            print(reply.message)
    print_tree(exporter.get_finished_spans())
    print(f"{slow.quick} call took less than a second")


if __name__ == "__main__":
    uvgrpc.run(main())
