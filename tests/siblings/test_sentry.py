# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""sentry-sdk's gRPC integration, put in before and after uvgrpc."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from library import EVERY_ARITY, SERVICE
from support import Outcome

_SETUP = """
import sentry_sdk
from sentry_sdk.integrations.grpc import GRPCIntegration
from sentry_sdk.transport import Transport

class Capture(Transport):
    sent = []

    def capture_envelope(self, envelope):
        self.sent += [item.payload.json for item in envelope.items]

def instrument():
    sentry_sdk.init(
        # Never called: what is sent is kept in memory.
        dsn="http://public@127.0.0.1:9/1",
        transport=Capture,
        traces_sample_rate=1.0,
        default_integrations=False,
        auto_enabling_integrations=False,
        auto_session_tracking=False,
        integrations=[GRPCIntegration()],
    )

def of(kind):
    return [event for event in Capture.sent if event.get("type") == kind]
"""

_ORDERS = {"before": "instrument(); install()", "after": "install(); instrument()"}

_CALLS = """
async def main():
    {order}
    async with serving() as target, grpc.aio.insecure_channel(target) as channel:
        with sentry_sdk.start_transaction(op="test", name="work"):
            results = await every_arity(stub_on(channel))
    print(json.dumps([results, of("transaction")]))

uvloop.run(main())
"""


@pytest.fixture(params=list(_ORDERS))
def order(request: pytest.FixtureRequest) -> str:
    return _ORDERS[request.param]


def test_calls_are_spans_and_handlers_transactions(program: Callable[[str], Outcome], order: str) -> None:
    results, transactions = program(_SETUP + _CALLS.format(order=order)).result
    assert results == EVERY_ARITY
    named: dict[str, Any] = {event["transaction"]: event for event in transactions}
    # The integration traces unary handlers, and calls with a unary request.
    assert set(named) == {"work", f"/{SERVICE}/Find"}
    work = named["work"]
    assert [span["description"] for span in work["spans"]] == [
        f"unary unary call to /{SERVICE}/Find",
        f"unary stream call to /{SERVICE}/List",
    ]
    find = work["spans"][0]
    assert (find["op"], find["data"]["code"]) == ("grpc.client", "OK")
    served = named[f"/{SERVICE}/Find"]["contexts"]["trace"]
    assert served["op"] == "grpc.server"
    assert served["trace_id"] == work["contexts"]["trace"]["trace_id"]
    assert served["parent_span_id"] == find["span_id"]


_FAILURES = """
async def main():
    {order}
    async with serving() as target, grpc.aio.insecure_channel(target) as channel:
        stub = stub_on(channel)
        codes = [(await code_of(stub.Find(FindRequest(title=title)))).name for title in ("", "crash")]
    print(json.dumps([codes, of("transaction"), [event for event in Capture.sent if "exception" in event]]))

uvloop.run(main())
"""


def test_a_handler_that_fails_is_an_error_event(program: Callable[[str], Outcome], order: str) -> None:
    done = program(_SETUP + _FAILURES.format(order=order))
    assert done.returncode == 0, done.err
    codes, transactions, errors = Outcome(0, done.out, "").result
    assert codes == ["INVALID_ARGUMENT", "UNKNOWN"]
    assert [event["transaction"] for event in transactions] == [f"/{SERVICE}/Find"] * 2
    # An abort is an answer; only the exception is an event.
    (error,) = errors
    (exception,) = error["exception"]["values"]
    assert (exception["type"], exception["value"]) == ("RuntimeError", "the shelf broke")
    assert exception["mechanism"] == {"type": "grpc", "handled": False}
    assert error["transaction"] == f"/{SERVICE}/Find"
