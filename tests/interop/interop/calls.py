# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The standard cases as a client of grpc.aio's API runs them: all but those about compression.

A case is a coroutine function that is given the server and fails by an exception.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import pytest
from support import aio, error_of

from interop.messages import (
    ECHO_INITIAL,
    ECHO_TRAILING,
    LARGE_REQUEST,
    LARGE_RESPONSE,
    REQUEST_SIZES,
    RESPONSE_SIZES,
    expect_body,
    output_request,
    payload,
)
from interop.stubs import pb2, pb2_grpc

Case = Callable[[Any], Awaitable[None]]

# Whitespace that has to be escaped, and characters of three and of four bytes.
SPECIAL_MESSAGE = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"


async def empty_unary(channel: Any) -> None:
    assert await pb2_grpc.TestServiceStub(channel).EmptyCall(pb2.Empty()) == pb2.Empty()


async def large_unary(channel: Any) -> None:
    request = pb2.SimpleRequest(response_size=LARGE_RESPONSE, payload=payload(LARGE_REQUEST))
    expect_body(await pb2_grpc.TestServiceStub(channel).UnaryCall(request), LARGE_RESPONSE)


async def client_streaming(channel: Any) -> None:
    call = pb2_grpc.TestServiceStub(channel).StreamingInputCall()
    for size in REQUEST_SIZES:
        await call.write(pb2.StreamingInputCallRequest(payload=payload(size)))
    await call.done_writing()
    assert (await call).aggregated_payload_size == sum(REQUEST_SIZES)


async def client_streaming_of_an_iterator(channel: Any) -> None:
    async def requests() -> AsyncIterator[Any]:
        for size in REQUEST_SIZES:
            yield pb2.StreamingInputCallRequest(payload=payload(size))

    response = await pb2_grpc.TestServiceStub(channel).StreamingInputCall(requests())
    assert response.aggregated_payload_size == sum(REQUEST_SIZES)


async def server_streaming(channel: Any) -> None:
    call = pb2_grpc.TestServiceStub(channel).StreamingOutputCall(output_request(*RESPONSE_SIZES))
    for size in RESPONSE_SIZES:
        expect_body(await call.read(), size)
    assert await call.read() is aio.EOF
    assert await call.code() is grpc.StatusCode.OK


async def server_streaming_to_a_loop(channel: Any) -> None:
    call = pb2_grpc.TestServiceStub(channel).StreamingOutputCall(output_request(*RESPONSE_SIZES))
    sizes = list(RESPONSE_SIZES)
    async for response in call:
        expect_body(response, sizes.pop(0))
    assert sizes == []


async def ping_pong(channel: Any) -> None:
    call = pb2_grpc.TestServiceStub(channel).FullDuplexCall()
    for request_size, response_size in zip(REQUEST_SIZES, RESPONSE_SIZES, strict=True):
        await call.write(output_request(response_size, request_size=request_size))
        expect_body(await call.read(), response_size)
    await call.done_writing()
    assert await call.read() is aio.EOF
    assert await call.code() is grpc.StatusCode.OK


async def ping_pong_of_an_iterator(channel: Any) -> None:
    turns: asyncio.Queue[tuple[int, int] | None] = asyncio.Queue()

    async def requests() -> AsyncIterator[Any]:
        while (turn := await turns.get()) is not None:
            request_size, response_size = turn
            yield output_request(response_size, request_size=request_size)

    responses = aiter(pb2_grpc.TestServiceStub(channel).FullDuplexCall(requests()))
    for request_size, response_size in zip(REQUEST_SIZES, RESPONSE_SIZES, strict=True):
        turns.put_nowait((request_size, response_size))
        expect_body(await anext(responses), response_size)
    turns.put_nowait(None)
    with pytest.raises(StopAsyncIteration):
        await anext(responses)


async def empty_stream(channel: Any) -> None:
    call = pb2_grpc.TestServiceStub(channel).FullDuplexCall()
    await call.done_writing()
    assert await call.read() is aio.EOF
    assert await call.code() is grpc.StatusCode.OK


async def cancel_after_begin(channel: Any) -> None:
    call = pb2_grpc.TestServiceStub(channel).StreamingInputCall(metadata=(("x-key", "value"),))
    assert call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await call.code() is grpc.StatusCode.CANCELLED
    assert call.cancelled()


async def cancel_after_first_response(channel: Any) -> None:
    call = pb2_grpc.TestServiceStub(channel).FullDuplexCall()
    await call.write(output_request(RESPONSE_SIZES[0], request_size=REQUEST_SIZES[0]))
    expect_body(await call.read(), RESPONSE_SIZES[0])
    assert call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call.read()
    assert await call.code() is grpc.StatusCode.CANCELLED


async def timeout_on_sleeping_server(channel: Any) -> None:
    call = pb2_grpc.TestServiceStub(channel).FullDuplexCall(timeout=0.001)
    # The write may find the call over, or not.
    try:
        await call.write(output_request(request_size=REQUEST_SIZES[0]))
    except (aio.AioRpcError, asyncio.InvalidStateError):
        assert call.done()
    assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def custom_metadata(channel: Any) -> None:
    stub = pb2_grpc.TestServiceStub(channel)
    initial = (ECHO_INITIAL, "test_initial_metadata_value")
    trailing = (ECHO_TRAILING, b"\xab\xab\xab")
    options = {"metadata": (initial, trailing)}

    async def expect_metadata(call: Any) -> None:
        assert initial in tuple(await call.initial_metadata())
        assert trailing in tuple(await call.trailing_metadata())

    unary = stub.UnaryCall(pb2.SimpleRequest(response_size=1, payload=payload(1)), **options)
    expect_body(await unary, 1)
    await expect_metadata(unary)

    stream = stub.FullDuplexCall(**options)
    await stream.write(output_request(1, request_size=1))
    assert initial in tuple(await stream.initial_metadata())
    expect_body(await stream.read(), 1)
    await stream.done_writing()
    assert await stream.read() is aio.EOF
    await expect_metadata(stream)


async def status_code_and_message(channel: Any) -> None:
    stub = pb2_grpc.TestServiceStub(channel)
    wanted = pb2.EchoStatus(code=2, message="test status message")

    def expect_status(error: aio.AioRpcError) -> None:
        assert error.code() is grpc.StatusCode.UNKNOWN
        assert error.details() == wanted.message

    expect_status(await error_of(stub.UnaryCall(pb2.SimpleRequest(response_status=wanted))))

    stream = stub.FullDuplexCall()
    await stream.write(output_request(response_status=wanted))
    await stream.done_writing()
    expect_status(await error_of(stream.read()))


async def special_status_message(channel: Any) -> None:
    wanted = pb2.EchoStatus(code=2, message=SPECIAL_MESSAGE)
    call = pb2_grpc.TestServiceStub(channel).UnaryCall(pb2.SimpleRequest(response_status=wanted))
    error = await error_of(call)
    assert error.code() is grpc.StatusCode.UNKNOWN
    assert error.details() == SPECIAL_MESSAGE


async def unimplemented_method(channel: Any) -> None:
    error = await error_of(pb2_grpc.TestServiceStub(channel).UnimplementedCall(pb2.Empty()))
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


async def unimplemented_service(channel: Any) -> None:
    error = await error_of(pb2_grpc.UnimplementedServiceStub(channel).UnimplementedCall(pb2.Empty()))
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


async def concurrent_large_streams(channel: Any) -> None:
    """Many streams on one connection, with more on their way than flow control lets through."""
    stub = pb2_grpc.TestServiceStub(channel)
    streams, messages = 16, 8

    async def one() -> None:
        call = stub.FullDuplexCall()

        async def send() -> None:
            for _ in range(messages):
                await call.write(output_request(LARGE_RESPONSE, request_size=LARGE_REQUEST))
            await call.done_writing()

        async with asyncio.TaskGroup() as group:
            group.create_task(send())
            for _ in range(messages):
                expect_body(await call.read(), LARGE_RESPONSE)
        assert await call.read() is aio.EOF
        assert await call.code() is grpc.StatusCode.OK

    async with asyncio.TaskGroup() as group:
        for _ in range(streams):
            group.create_task(one())


CASES: dict[str, Case] = {
    case.__name__: case
    for case in (
        empty_unary,
        large_unary,
        client_streaming,
        client_streaming_of_an_iterator,
        server_streaming,
        server_streaming_to_a_loop,
        ping_pong,
        ping_pong_of_an_iterator,
        empty_stream,
        cancel_after_begin,
        cancel_after_first_response,
        timeout_on_sleeping_server,
        custom_metadata,
        status_code_and_message,
        special_status_message,
        unimplemented_method,
        unimplemented_service,
        concurrent_large_streams,
    )
}
