# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""grpc-interceptor: its async server interceptors, around handlers of every arity."""

from __future__ import annotations

from typing import Any

import grpc
from grpc_interceptor import AsyncExceptionToStatusInterceptor, AsyncServerInterceptor
from grpc_interceptor.exceptions import NotFound
from library import (
    EVERY_ARITY,
    FindRequest,
    Library,
    ListRequest,
    calling,
    every_arity,
    stub_on,
    until_failure,
)
from support import error_of, run


class _Recorder(AsyncServerInterceptor):
    """Notes the methods that were called, and doubles the pages of what is found."""

    def __init__(self) -> None:
        self.methods: list[str] = []

    async def intercept(self, method: Any, request_or_iterator: Any, context: Any, method_name: str) -> Any:
        self.methods.append(method_name.rpartition("/")[2])
        result = method(request_or_iterator, context)
        if hasattr(result, "__aiter__"):
            return result
        result = await result
        if method_name.endswith("Find"):
            result.pages *= 2
        return result


class _Lost(Library):
    async def Find(self, request: Any, context: Any) -> Any:
        raise NotFound("lent out")

    async def List(self, request: Any, context: Any) -> Any:
        async for book in super().List(request, context):
            yield book
        raise NotFound("the rest is lent out")


def test_every_arity_passes_through() -> None:
    async def main() -> None:
        first, second = _Recorder(), _Recorder()
        async with calling(interceptors=[first, second]) as channel:
            assert await every_arity(stub_on(channel)) == {**EVERY_ARITY, "Find": 4 * EVERY_ARITY["Find"]}
        assert first.methods == second.methods == list(EVERY_ARITY)

    run(main())


def test_a_method_that_is_not_there_is_not_intercepted() -> None:
    async def main() -> None:
        recorder = _Recorder()
        async with calling(interceptors=[recorder]) as channel:
            error = await error_of(channel.unary_unary("/uvgrpc.siblings.Library/Burn")(b""))
            assert error.code() is grpc.StatusCode.UNIMPLEMENTED
            assert recorder.methods == []

    run(main())


def test_exceptions_become_statuses() -> None:
    async def main() -> None:
        interceptors = [AsyncExceptionToStatusInterceptor()]
        async with calling(interceptors=interceptors, servicer=_Lost()) as channel:
            stub = stub_on(channel)
            error = await error_of(stub.Find(FindRequest(title="Emma")))
            assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "lent out")
            given, error = await until_failure(stub.List(ListRequest(count=1)))
            assert [book.title for book in given] == ["volume 0"]
            assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "the rest is lent out")

    run(main())


def test_an_unknown_exception_has_the_status_asked_for() -> None:
    async def main() -> None:
        interceptors = [
            AsyncExceptionToStatusInterceptor(status_on_unknown_exception=grpc.StatusCode.DATA_LOSS)
        ]
        async with calling(interceptors=interceptors) as channel:
            error = await error_of(stub_on(channel).Find(FindRequest(title="crash")))
            assert error.code() is grpc.StatusCode.DATA_LOSS
            assert "the shelf broke" in error.details()

    run(main())
