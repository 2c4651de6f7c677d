# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""OpenTelemetry's instrumentation of grpc.aio, put in before and after uvgrpc."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from library import EVERY_ARITY, SERVICE
from support import Outcome

_SETUP = """
from opentelemetry import trace
from opentelemetry.instrumentation.grpc import GrpcAioInstrumentorClient, GrpcAioInstrumentorServer
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))

def instrument():
    GrpcAioInstrumentorClient().instrument(tracer_provider=provider)
    GrpcAioInstrumentorServer().instrument(tracer_provider=provider)

def spans():
    return [
        {
            "name": span.name,
            "kind": span.kind.name,
            "id": span.context.span_id,
            "trace": span.context.trace_id,
            "parent": span.parent and span.parent.span_id,
            "status": span.status.status_code.name,
            "events": [event.attributes["exception.type"] for event in span.events],
            "attributes": dict(span.attributes),
        }
        for span in exporter.get_finished_spans()
    ]
"""

_ORDERS = {"before": "instrument(); install()", "after": "install(); instrument()"}

_CALLS = """
async def main():
    {order}
    async with serving() as target, grpc.aio.insecure_channel(target) as channel:
        with provider.get_tracer("test").start_as_current_span("work"):
            results = await every_arity(stub_on(channel))
    print(json.dumps([results, spans()]))

uvloop.run(main())
"""


def _one(spans: list[dict[str, Any]], name: str, kind: str) -> dict[str, Any]:
    (found,) = (span for span in spans if (span["name"], span["kind"]) == (name, kind))
    return found


@pytest.fixture(params=list(_ORDERS))
def order(request: pytest.FixtureRequest) -> str:
    return _ORDERS[request.param]


def test_every_arity_has_a_client_and_a_server_span(program: Callable[[str], Outcome], order: str) -> None:
    results, spans = program(_SETUP + _CALLS.format(order=order)).result
    assert results == EVERY_ARITY
    assert len(spans) == 1 + 2 * len(EVERY_ARITY)
    work = _one(spans, "work", "INTERNAL")
    assert {span["trace"] for span in spans} == {work["trace"]}
    for method in EVERY_ARITY:
        client = _one(spans, f"/{SERVICE}/{method}", "CLIENT")
        server = _one(spans, f"/{SERVICE}/{method}", "SERVER")
        assert client["parent"] == work["id"]
        assert server["parent"] == client["id"]
        for span in (client, server):
            assert span["status"] == "UNSET"
            attributes = span["attributes"]
            assert (attributes["rpc.system"], attributes["rpc.service"], attributes["rpc.method"]) == (
                "grpc",
                SERVICE,
                method,
            )
            assert attributes["rpc.grpc.status_code"] == 0
        assert server["attributes"]["net.peer.ip"] == "127.0.0.1"


_SECURE = """
from tls import channel_tls, server_tls

async def main():
    {order}
    async with (
        serving(credentials=server_tls()) as target,
        grpc.aio.secure_channel(target, channel_tls()) as channel,
    ):
        results = await every_arity(stub_on(channel))
    print(json.dumps([results, spans()]))

uvloop.run(main())
"""


def test_a_secure_channel_is_instrumented_too(program: Callable[[str], Outcome], order: str) -> None:
    results, spans = program(_SETUP + _SECURE.format(order=order)).result
    assert results == EVERY_ARITY
    for method in EVERY_ARITY:
        client = _one(spans, f"/{SERVICE}/{method}", "CLIENT")
        assert _one(spans, f"/{SERVICE}/{method}", "SERVER")["parent"] == client["id"]


_FAILURES = """
async def main():
    {order}
    codes = []
    async with serving() as target, grpc.aio.insecure_channel(target) as channel:
        stub = stub_on(channel)
        codes.append((await code_of(stub.Find(FindRequest()))).name)
        codes.append((await code_of(stub.Find(FindRequest(title="crash")))).name)
        try:
            async for _ in stub.List(ListRequest(count=1, aborts=True)):
                pass
        except grpc.aio.AioRpcError as error:
            codes.append(error.code().name)
    print(json.dumps([codes, spans()]))

uvloop.run(main())
"""


def test_failures_are_in_the_spans(program: Callable[[str], Outcome], order: str) -> None:
    done = program(_SETUP + _FAILURES.format(order=order))
    assert done.returncode == 0, done.err
    # The handler that fails is logged, with its traceback; nothing else is.
    assert done.err.count("Traceback") <= done.err.count("RuntimeError: the shelf broke")
    codes, spans = Outcome(0, done.out, "").result
    assert codes == ["INVALID_ARGUMENT", "UNKNOWN", "RESOURCE_EXHAUSTED"]
    finds = [span for span in spans if span["name"].endswith("Find")]
    rejected, crashed = finds[:2], finds[2:]
    for span in rejected:
        assert span["attributes"]["rpc.grpc.status_code"] == 3
    assert [(span["kind"], span["status"]) for span in rejected] == [("SERVER", "UNSET"), ("CLIENT", "ERROR")]
    server, client = crashed
    assert (server["kind"], set(server["events"])) == ("SERVER", {"RuntimeError"})
    assert (client["kind"], client["status"]) == ("CLIENT", "ERROR")
    assert client["attributes"]["rpc.grpc.status_code"] == 2
    listed = _one(spans, f"/{SERVICE}/List", "CLIENT")
    assert listed["status"] == "ERROR"
    assert listed["attributes"]["rpc.grpc.status_code"] == 8
    assert _one(spans, f"/{SERVICE}/List", "SERVER")["attributes"]["rpc.grpc.status_code"] == 8


_TAKEN_OUT = """
async def main():
    {order}
    GrpcAioInstrumentorClient().uninstrument()
    GrpcAioInstrumentorServer().uninstrument()
    async with serving() as target, grpc.aio.insecure_channel(target) as channel:
        results = await every_arity(stub_on(channel))
    print(json.dumps([results, spans()]))

uvloop.run(main())
"""


def test_after_uninstrument_nothing_is_traced(program: Callable[[str], Outcome], order: str) -> None:
    assert program(_SETUP + _TAKEN_OUT.format(order=order)).result == [EVERY_ARITY, []]
