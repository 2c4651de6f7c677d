# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""grpc.testing.TestService on grpc.aio's API, in both styles that it has for streams."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

import grpc
from support import aio

import uvgrpc
from interop.messages import ECHO_INITIAL, ECHO_TRAILING, payload
from interop.stubs import pb2, pb2_grpc

_CODES = {code.value[0]: code for code in grpc.StatusCode}


async def _echo_metadata(context: Any) -> None:
    """Sends back what the cases' metadata keys came with."""
    came = dict(context.invocation_metadata())
    if ECHO_TRAILING in came:
        context.set_trailing_metadata(((ECHO_TRAILING, came[ECHO_TRAILING]),))
    if ECHO_INITIAL in came:
        await context.send_initial_metadata(((ECHO_INITIAL, came[ECHO_INITIAL]),))


async def _end_as_asked(request: Any, context: Any) -> None:
    """Ends the call with the status that the request asks for, if it does."""
    status = request.response_status
    if status.code:
        await context.abort(_CODES[status.code], status.message)


async def _outputs(request: Any, context: Any) -> AsyncIterator[Any]:
    """The responses that a request asks for."""
    for parameters in request.response_parameters:
        if parameters.interval_us:
            await asyncio.sleep(parameters.interval_us / 1e6)
        if parameters.HasField("compressed") and not parameters.compressed.value:
            context.disable_next_message_compression()
        yield pb2.StreamingOutputCallResponse(payload=payload(parameters.size))


def _compress_stream(request: Any, context: Any) -> None:
    """Turns compression on for a stream with a response that is to be compressed."""
    if any(parameters.compressed.value for parameters in request.response_parameters):
        context.set_compression(grpc.Compression.Gzip)


class TestService(pb2_grpc.TestServiceServicer):
    """Streams are iterated over, and handlers are generators.

    UnimplementedCall is the generated one.
    """

    __test__ = False  # no class of tests

    def __init__(self) -> None:
        self._server_id = uuid.uuid4().hex

    async def EmptyCall(self, request: Any, context: Any) -> Any:
        return pb2.Empty()

    async def UnaryCall(self, request: Any, context: Any) -> Any:
        if request.response_compressed.value:
            context.set_compression(grpc.Compression.Gzip)
        await _echo_metadata(context)
        await _end_as_asked(request, context)
        return pb2.SimpleResponse(
            payload=payload(request.response_size),
            server_id=self._server_id if request.fill_server_id else "",
        )

    async def StreamingOutputCall(self, request: Any, context: Any) -> AsyncIterator[Any]:
        _compress_stream(request, context)
        async for response in _outputs(request, context):
            yield response

    async def StreamingInputCall(self, requests: AsyncIterable[Any], context: Any) -> Any:
        total = 0
        async for request in requests:
            total += len(request.payload.body)
        return pb2.StreamingInputCallResponse(aggregated_payload_size=total)

    async def FullDuplexCall(self, requests: AsyncIterable[Any], context: Any) -> AsyncIterator[Any]:
        await _echo_metadata(context)
        async for request in requests:
            await _end_as_asked(request, context)
            async for response in _outputs(request, context):
                yield response


class ReadWriteTestService(TestService):
    """Streams are read from and written to, and handlers are coroutines."""

    async def StreamingOutputCall(self, request: Any, context: Any) -> None:
        _compress_stream(request, context)
        async for response in _outputs(request, context):
            await context.write(response)

    async def StreamingInputCall(self, _requests: AsyncIterable[Any], context: Any) -> Any:
        total = 0
        while (request := await context.read()) is not aio.EOF:
            total += len(request.payload.body)
        return pb2.StreamingInputCallResponse(aggregated_payload_size=total)

    async def FullDuplexCall(self, _requests: AsyncIterable[Any], context: Any) -> None:
        await _echo_metadata(context)
        while (request := await context.read()) is not aio.EOF:
            await _end_as_asked(request, context)
            async for response in _outputs(request, context):
                await context.write(response)


class MessagesTestService(TestService):
    """Streams are received from and sent to, as in uvgrpc's own API."""

    async def StreamingOutputCall(self, context: Any) -> None:  # type: ignore[override]
        request = await context.receive()
        _compress_stream(request, context)
        async for response in _outputs(request, context):
            await context.send(response)

    async def StreamingInputCall(self, context: Any) -> None:  # type: ignore[override]
        total = 0
        async for request in context:
            total += len(request.payload.body)
        await context.send(pb2.StreamingInputCallResponse(aggregated_payload_size=total))

    async def FullDuplexCall(self, context: Any) -> None:  # type: ignore[override]
        await _echo_metadata(context)
        try:
            while True:
                request = await context.receive()
                await _end_as_asked(request, context)
                async for response in _outputs(request, context):
                    await context.send(response)
        except uvgrpc.EOF:
            return
