# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""google-api-core's tracing: interceptors put in front of those that a channel has."""

from __future__ import annotations

from typing import Any

import grpc.aio
import pytest
from google.api_core._observability import apply_otel_async_channel_interceptors
from library import EVERY_ARITY, SERVICE, every_arity, serving, stub_on
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from support import STOCK, run


class _Last(grpc.aio.UnaryUnaryClientInterceptor):
    """Notes what interceptors in front of it added to the metadata."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        self.seen += [key for key, _ in client_call_details.metadata or ()]
        return await continuation(client_call_details, request)


def test_spans_of_every_arity_from_a_channel_that_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    # What a generated client does when it is told to trace.
    monkeypatch.setenv("GOOGLE_SDK_EXPERIMENTAL_PYTHON_TRACING_ENABLED", "true")
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))

    async def main() -> None:
        last = _Last()
        async with serving() as target, grpc.aio.insecure_channel(target, interceptors=[last]) as channel:
            assert STOCK or type(channel).__module__ == "uvgrpc.aio._channel"
            stub = stub_on(channel)
            apply_otel_async_channel_interceptors(channel, {"tracer_provider": provider})
            assert await every_arity(stub) == EVERY_ARITY
        assert last.seen == ["traceparent"]

    run(main())
    spans = exporter.get_finished_spans()
    assert [span.name.lstrip("/") for span in spans] == [f"{SERVICE}/{method}" for method in EVERY_ARITY]
    assert {span.kind.name for span in spans} == {"CLIENT"}
