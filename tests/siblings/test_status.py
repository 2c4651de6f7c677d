# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""grpcio-status: google.rpc.Status with details, from a handler to its caller."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status
from library import FindRequest, Library, ListRequest, calling, stub_on, until_failure
from support import error_of, run

_REASONS = [
    error_details_pb2.BadRequest(
        field_violations=[error_details_pb2.BadRequest.FieldViolation(field="title", description="empty")]
    ),
    error_details_pb2.RequestInfo(request_id="r-1", serving_data="\N{SNOWMAN}"),
]


def _rich_status() -> Any:
    packed = []
    for reason in _REASONS:
        packed.append(any_pb2.Any())
        packed[-1].Pack(reason)
    return status_pb2.Status(code=code_pb2.INVALID_ARGUMENT, message="bad \N{SNOWMAN}", details=packed)


class _Strict(Library):
    async def Find(self, request: Any, context: Any) -> Any:
        if request.title == "liar":
            context.set_trailing_metadata((("grpc-status-details-bin", _rich_status().SerializeToString()),))
            await context.abort(grpc.StatusCode.NOT_FOUND, "another code than the trailer's")
        await context.abort_with_status(rpc_status.to_status(_rich_status()))

    async def List(self, request: Any, context: Any) -> Any:
        async for book in super().List(request, context):
            yield book
        await context.abort_with_status(rpc_status.to_status(_rich_status()))


def test_details_of_a_unary_call() -> None:
    async def main() -> None:
        async with calling(servicer=_Strict()) as channel:
            call = stub_on(channel).Find(FindRequest())
            error = await error_of(call)
            assert (error.code(), error.details()) == (grpc.StatusCode.INVALID_ARGUMENT, "bad \N{SNOWMAN}")
            assert rpc_status.from_call(error) == _rich_status()
            status = await rpc_status.aio.from_call(call)
            assert status == _rich_status()
            for packed, reason in zip(status.details, _REASONS, strict=True):
                unpacked = type(reason)()
                assert packed.Unpack(unpacked)
                assert unpacked == reason

    run(main())


def test_details_at_the_end_of_a_stream() -> None:
    async def main() -> None:
        async with calling(servicer=_Strict()) as channel:
            call = stub_on(channel).List(ListRequest(count=2))
            given, error = await until_failure(call)
            assert [book.title for book in given] == ["volume 0", "volume 1"]
            assert rpc_status.from_call(error) == _rich_status()
            assert await rpc_status.aio.from_call(call) == _rich_status()

    run(main())


def test_a_call_without_details_has_no_rich_status() -> None:
    async def main() -> None:
        async with calling() as channel:
            failed = stub_on(channel).Find(FindRequest())
            assert rpc_status.from_call(await error_of(failed)) is None
            good = stub_on(channel).Find(FindRequest(title="Emma"))
            await good
            assert await rpc_status.aio.from_call(good) is None

    run(main())


def test_a_status_that_contradicts_the_call_is_refused() -> None:
    async def main() -> None:
        async with calling(servicer=_Strict()) as channel:
            call = stub_on(channel).Find(FindRequest(title="liar"))
            await error_of(call)
            with pytest.raises(ValueError, match="doesn't match status code"):
                await rpc_status.aio.from_call(call)

    run(main())
