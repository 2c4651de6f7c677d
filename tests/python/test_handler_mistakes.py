# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Mistakes of handlers end their RPC at once, with a text that names the mistake."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import pytest
from support import aio, in_time, run, serving

pytestmark = pytest.mark.uvgrpc_only

BAD_METADATA: list[Any] = [
    ("abc", "def"),
    ("ab", "cd"),
    (("a",),),
    (("a", "b", "c"),),
    (["a", "b"],),
    ((1, "b"),),
    (("a", 1),),
    (("a", None),),
    (("a-bin", "text"),),
    (("UPPER", "x"),),
    (("with space", "x"),),
    (("", "x"),),
    (("key", "new\nline"),),
    (("key", "\0"),),
    (("ümlaut", "x"),),
    (("good", "x"), ("BAD", "x")),
    42,
    "text",
    {"a": "b"},
    (None,),
    object(),
]


# Pairs to grpc.aio where the loop over them can unpack them.
PAIRS_FOR_INITIAL: list[Any] = [("ab", "cd"), (["a", "b"],)]


async def _end(method: grpc.RpcMethodHandler, arity: str = "unary_unary") -> tuple[Any, str]:
    """How a call ends that is served by `method`."""
    handlers = [grpc.method_handlers_generic_handler("t", {"M": method})]
    async with (
        serving(handlers=handlers, maximum_concurrent_rpcs=1) as running,
        aio.insecure_channel(running.target) as channel,
    ):
        started = time.monotonic()
        call = getattr(channel, arity)("/t/M")(b"x")
        if arity.endswith("stream"):
            try:
                async for _response in call:
                    pass
            except grpc.RpcError:
                pass
        code, details = await call.code(), await call.details()
        in_time(started, 3)
        return code, details


def _ends(method: grpc.RpcMethodHandler, arity: str = "unary_unary") -> tuple[Any, str]:
    found: tuple[Any, str] = run(_end(method, arity))
    return found


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> Any:
    """The mistakes are logged; nothing is left for asyncio to complain of."""
    with caplog.at_level(logging.CRITICAL, logger="uvgrpc"):
        yield
    assert not [one for one in caplog.records if one.name == "asyncio"]


async def _in_set_trailing(context: Any, metadata: Any) -> None:
    context.set_trailing_metadata(metadata)


async def _in_initial(context: Any, metadata: Any) -> None:
    await context.send_initial_metadata(metadata)


async def _in_abort(context: Any, metadata: Any) -> None:
    await context.abort(grpc.StatusCode.NOT_FOUND, "", metadata)


async def _in_abort_with_status(context: Any, metadata: Any) -> None:
    class Status(grpc.Status):
        code = grpc.StatusCode.NOT_FOUND
        details = "details"
        trailing_metadata = metadata

    await context.abort_with_status(Status())


@pytest.mark.parametrize("place", [_in_set_trailing, _in_initial, _in_abort, _in_abort_with_status])
@pytest.mark.parametrize(
    "metadata", BAD_METADATA, ids=lambda value: "object" if type(value) is object else repr(value)
)
def test_bad_metadata_is_unknown_with_a_text(metadata: Any, place: Callable[..., Awaitable[None]]) -> None:
    if place is _in_initial and metadata in PAIRS_FOR_INITIAL:
        pytest.skip("accepted")

    async def handler(request: bytes, context: Any) -> bytes:
        await place(context, metadata)
        return request

    code, details = _ends(grpc.unary_unary_rpc_method_handler(handler))
    assert code is grpc.StatusCode.UNKNOWN
    assert details.startswith(("Unexpected <class 'TypeError'>: ", "Unexpected <class 'ValueError'>: "))
    assert len(details) > 40


def test_a_handler_that_catches_bad_metadata_answers_without_it() -> None:
    async def handler(request: bytes, context: Any) -> bytes:
        context.set_trailing_metadata((("good", "x"),))
        for metadata in BAD_METADATA:
            for place in (_in_set_trailing, _in_initial):
                if place is _in_initial and metadata in PAIRS_FOR_INITIAL:
                    continue
                with pytest.raises((TypeError, ValueError)):
                    await place(context, metadata)
        assert context.trailing_metadata() == (("good", "x"),)
        return request

    assert _ends(grpc.unary_unary_rpc_method_handler(handler))[0] is grpc.StatusCode.OK


@pytest.mark.parametrize("result", ["text", 1, None, bytearray(b"x"), memoryview(b"x")])
def test_a_serializer_that_returns_no_bytes_is_named(result: Any) -> None:
    def my_serializer(message: bytes) -> Any:
        return result

    async def handler(request: bytes, context: Any) -> bytes:
        return request

    code, details = _ends(grpc.unary_unary_rpc_method_handler(handler, None, my_serializer))
    assert code is grpc.StatusCode.UNKNOWN
    assert "my_serializer" in details
    assert type(result).__name__ in details


async def _generate(request: bytes, context: Any) -> AsyncIterator[bytes]:
    yield b"x"


def test_an_async_generator_for_a_single_response_is_named() -> None:
    for arity in ("unary_unary", "stream_unary"):
        method = getattr(grpc, f"{arity}_rpc_method_handler")(_generate)
        if arity == "stream_unary":
            continue
        code, details = _ends(method)
        assert code is grpc.StatusCode.UNKNOWN
        assert "/t/M is an async generator" in details


def test_a_stream_s_coroutine_that_returns_a_value_ends_with_ok() -> None:
    """As grpc.aio has it: what it returns is dropped."""

    async def handler(request: bytes, context: Any) -> bytes:
        await context.write(b"x")
        return b"dropped"

    assert _ends(grpc.unary_stream_rpc_method_handler(handler), "unary_stream") == (grpc.StatusCode.OK, "")


@pytest.mark.parametrize("code", [grpc.StatusCode.OK, 0])
def test_abort_with_ok_is_refused(code: Any) -> None:
    async def handler(request: bytes, context: Any) -> bytes:
        await context.abort(code, "all is well")
        return request

    status, details = _ends(grpc.unary_unary_rpc_method_handler(handler))
    assert status is grpc.StatusCode.UNKNOWN
    assert "abort()" in details
    assert "OK" in details


def test_write_in_a_unary_handler_raises_at_once() -> None:
    async def handler(request: bytes, context: Any) -> bytes:
        with pytest.raises(aio.UsageError, match="single response"):
            await context.write(b"x")
        return request

    assert _ends(grpc.unary_unary_rpc_method_handler(handler))[0] is grpc.StatusCode.OK


def test_a_task_has_the_name_of_its_method() -> None:
    async def handler(request: bytes, context: Any) -> bytes:
        task = asyncio.current_task()
        assert task is not None
        assert task.get_name() == "/t/M"
        assert "/t/M" in repr(task)
        return request

    assert _ends(grpc.unary_unary_rpc_method_handler(handler))[0] is grpc.StatusCode.OK
