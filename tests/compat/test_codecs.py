# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Serializers and deserializers on both sides, and what happens when they fail."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from rig import arities, echo_of, failure_of, handler, looped, result_of, stream_responses, wired
from support import aio


def doubling(arity: str, **codecs: Any) -> Any:
    """Answers its messages twice; with codecs they are lists."""

    async def single(request: Any, context: Any) -> Any:
        if arity == "stream_unary":
            return [item async for one in request for item in one * 2]
        return request * 2

    async def many(request: Any, context: Any) -> Any:
        if arity == "stream_stream":
            async for one in request:
                yield one * 2
        else:
            yield request * 2

    return handler(arity, single if arity.endswith("unary") else many, **codecs)


@arities
@looped
async def test_codecs_of_both_sides_are_used(arity: str) -> None:
    codecs = {"request_deserializer": list, "response_serializer": bytes}
    async with wired(doubling(arity, **codecs)) as wire:
        method = wire.method(request_serializer=str.encode, response_deserializer=bytes.decode)
        call = method(["ab", "c"] if arity.startswith("stream") else "abc")
        if arity.endswith("stream"):
            text = "".join([message async for message in call])
        else:
            text = await call
        assert text == ("ababcc" if arity.startswith("stream") else "abcabc")


def _fails(message: Any) -> Any:
    raise ValueError("cannot do this")


@arities
@looped
async def test_a_deserializer_of_the_server_that_fails_fails_the_call(arity: str) -> None:
    async with wired(doubling(arity, request_deserializer=_fails)) as wire:
        error = await failure_of(wire(timeout=3))
        assert error.code() is grpc.StatusCode.UNKNOWN
        assert error.details() == "Unexpected <class 'ValueError'>: cannot do this"


@arities
@looped
async def test_a_serializer_of_the_server_that_fails_fails_the_call(arity: str) -> None:
    codecs = {"request_deserializer": list, "response_serializer": _fails}
    async with wired(doubling(arity, **codecs)) as wire:
        error = await failure_of(wire(timeout=3))
        assert error.code() is grpc.StatusCode.UNKNOWN
        assert error.details() == "Unexpected <class 'ValueError'>: cannot do this"


@arities
@pytest.mark.stock_defect("#34894: the failure is logged, and an empty message sent in its place")
@looped
async def test_a_serializer_of_the_client_that_fails_sends_nothing(arity: str) -> None:
    seen: list[Any] = []

    async def look(request: Any, context: Any) -> bytes:
        seen.append(request)
        return b""

    async with wired(echo_of(arity)) as wire:
        method = wire.method(request_serializer=_fails)
        await _refused(lambda: method([b"a"] if arity.startswith("stream") else b"a", timeout=3))
        assert seen == []


@arities
@pytest.mark.stock_defect("#33955: a response that cannot be read becomes None")
@looped
async def test_a_deserializer_of_the_client_that_fails_fails_the_call(arity: str) -> None:
    async with wired(echo_of(arity)) as wire:
        method = wire.method(response_deserializer=_fails)
        await _refused(lambda: method([b"a"] if arity.startswith("stream") else b"a", timeout=3))


async def _refused(call: Any, own_error: type[Exception] = ValueError) -> None:
    """Checks that a call fails: by INTERNAL, by the codec's own exception, or as cancelled.

    The last is what becomes of a request stream whose iterator fails.
    """

    async def outcome_of() -> Any:
        return await asyncio.wait_for(result_of(call()), 3)

    (outcome,) = await asyncio.gather(outcome_of(), return_exceptions=True)
    if isinstance(outcome, grpc.aio.AioRpcError):
        assert outcome.code() is grpc.StatusCode.INTERNAL
    else:
        assert isinstance(outcome, own_error | asyncio.CancelledError)
        assert not isinstance(outcome, ValueError) or str(outcome) == "cannot do this"


@stream_responses
@pytest.mark.stock_defect("#33955: a message that cannot be read becomes None, in mid-stream too")
@looped
async def test_a_message_in_mid_stream_that_cannot_be_read_is_an_error(arity: str) -> None:
    async def three(request: Any, context: Any) -> Any:
        for message in (b"1", b"two", b"3"):
            yield message

    async with wired(handler(arity, three)) as wire:
        call = wire.method(response_deserializer=int)([b""] if arity.startswith("stream") else b"")
        assert await call.read() == 1
        with pytest.raises((aio.AioRpcError, ValueError)):
            await call.read()
        call.cancel()


@arities
@looped
async def test_text_without_a_serializer_is_refused_by_the_client(arity: str) -> None:
    async with wired(echo_of(arity)) as wire:
        await _refused(lambda: wire.method()(["text"] if arity.startswith("stream") else "text"), TypeError)


@looped
async def test_a_handler_that_answers_text_without_a_serializer() -> None:
    async def text(request: bytes, context: Any) -> Any:
        return "tèxt"

    async with wired(handler("unary_unary", text)) as wire:
        assert await wire() == "tèxt".encode()
