# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The service that the siblings are tried on, for tests and for the programs they run.

Written for grpc.aio and nothing else: uvgrpc comes in by install(). The modules
library_pb2 and library_pb2_grpc are generated when the tests start.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import grpc.aio
import library_pb2
import library_pb2_grpc
from library_pb2 import Book, FindRequest, ListRequest, Stored
from support import STOCK, error_of

import uvgrpc

SERVICE = "uvgrpc.siblings.Library"


def install() -> None:
    """Puts uvgrpc under grpc.aio, unless grpc.aio as it is is what the tests run on."""
    if not STOCK:
        uvgrpc.install(strict=True)


class Library(library_pb2_grpc.LibraryServicer):
    """library.proto's service."""

    async def Find(self, request: Any, context: Any) -> Any:
        if request.title == "crash":
            raise RuntimeError("the shelf broke")
        if not request.title:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no title")
        return Book(title=request.title, pages=len(request.title))

    async def List(self, request: Any, context: Any) -> Any:
        for number in range(request.count):
            yield Book(title=f"volume {number}", pages=number)
        if request.aborts:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "no more volumes")

    async def Store(self, request_iterator: Any, context: Any) -> Any:
        stored = Stored()
        async for book in request_iterator:
            stored.books += 1
            stored.pages += book.pages
        return stored

    async def Revise(self, request_iterator: Any, context: Any) -> Any:
        async for book in request_iterator:
            yield Book(title=book.title, pages=book.pages + 1)


Registrar = Callable[[Any], Any]


@contextlib.asynccontextmanager
async def serving(
    *registrars: Registrar,
    servicer: Any = None,
    credentials: grpc.ServerCredentials | None = None,
    grace: float | None = None,
    **options: Any,
) -> AsyncIterator[str]:
    """A server of grpc.aio.server() with the library; gives its target.

    Args:
      registrars: functions that add further services to the server they are given.
      servicer: instead of Library().
      credentials: for a port with transport security.
      grace: seconds that calls have when it stops. With None connections are broken off, too, and
        a client on grpcio's own core may print a line about that.
      options: for grpc.aio.server().
    """
    server = grpc.aio.server(**options)
    assert STOCK or type(server).__module__ == "uvgrpc.aio._server"
    library_pb2_grpc.add_LibraryServicer_to_server(servicer or Library(), server)
    for register in registrars:
        register(server)
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(grace)


@contextlib.asynccontextmanager
async def calling(*registrars: Registrar, **options: Any) -> AsyncIterator[Any]:
    """A channel of grpc.aio.insecure_channel() to what `serving` serves."""
    async with serving(*registrars, **options) as target, grpc.aio.insecure_channel(target) as channel:
        assert STOCK or type(channel).__module__ == "uvgrpc.aio._channel"
        yield channel


def books(*pages: int) -> list[Any]:
    return [Book(title="draft", pages=count) for count in pages]


async def every_arity(stub: Any) -> dict[str, Any]:
    """One call of each arity that succeeds, and what came back."""

    async def drafts() -> AsyncIterator[Any]:
        for book in books(1, 2):
            yield book

    return {
        "Find": (await stub.Find(FindRequest(title="Emma"))).pages,
        "List": [book.title async for book in stub.List(ListRequest(count=2))],
        "Store": (await stub.Store(drafts())).pages,
        "Revise": [book.pages async for book in stub.Revise(drafts())],
    }


EVERY_ARITY = {"Find": 4, "List": ["volume 0", "volume 1"], "Store": 3, "Revise": [2, 3]}


async def until_failure(stream: Any, kind: type[Exception] = grpc.aio.AioRpcError) -> tuple[list[Any], Any]:
    """What a stream gives before it fails, and the error, without the frames that hold the call."""
    given = []
    try:
        async for item in stream:
            given.append(item)
    except kind as error:
        return given, without_frames(error)
    raise AssertionError("the stream ended well")


def without_frames(error: BaseException) -> BaseException:
    """`error` without its frames and its causes, which keep calls alive."""
    error.__cause__ = error.__context__ = None
    for cause in getattr(error, "errors", ()):
        cause.with_traceback(None)
    return error.with_traceback(None)


async def code_of(call: Any) -> grpc.StatusCode:
    """The code that a unary call fails with."""
    code: grpc.StatusCode = (await error_of(call)).code()
    return code


def stub_on(channel: Any) -> Any:
    return library_pb2_grpc.LibraryStub(channel)


__all__ = (
    "EVERY_ARITY",
    "SERVICE",
    "STOCK",
    "Book",
    "FindRequest",
    "Library",
    "ListRequest",
    "Stored",
    "books",
    "calling",
    "code_of",
    "every_arity",
    "install",
    "library_pb2",
    "library_pb2_grpc",
    "serving",
    "stub_on",
    "until_failure",
    "without_frames",
)
