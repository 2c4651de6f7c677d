# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""A typed program on what mypy-protobuf generates: mypy checks it, and it runs.

What is wrong with types is marked, so that mypy tells when it no longer notices.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import grpc.aio
import library_pb2
import library_pb2_grpc
import uvloop
from support import STOCK

import uvgrpc
from uvgrpc import aio


class Library(library_pb2_grpc.LibraryServicer):
    async def Find(
        self, request: library_pb2.FindRequest, context: library_pb2_grpc._ServicerContext
    ) -> library_pb2.Book:
        return library_pb2.Book(title=request.title, pages=len(request.title))

    async def List(
        self, request: library_pb2.ListRequest, context: library_pb2_grpc._ServicerContext
    ) -> AsyncIterator[library_pb2.Book]:
        for number in range(request.count):
            yield library_pb2.Book(pages=number)

    async def Store(
        self,
        request_iterator: library_pb2_grpc._MaybeAsyncIterator[library_pb2.Book],
        context: library_pb2_grpc._ServicerContext,
    ) -> library_pb2.Stored:
        return library_pb2.Stored(pages=sum([book.pages async for book in request_iterator]))

    async def Revise(
        self,
        request_iterator: library_pb2_grpc._MaybeAsyncIterator[library_pb2.Book],
        context: library_pb2_grpc._ServicerContext,
    ) -> AsyncIterator[library_pb2.Book]:
        async for book in request_iterator:
            yield library_pb2.Book(pages=book.pages + 1)


async def call_all(channel: grpc.aio.Channel) -> int:
    stub = library_pb2_grpc.LibraryStub(channel)

    async def drafts() -> AsyncIterator[library_pb2.Book]:
        yield library_pb2.Book(pages=1)

    found: library_pb2.Book = await stub.Find(library_pb2.FindRequest(title="Emma"), timeout=10)
    pages: int = found.pages
    listing = stub.List(library_pb2.ListRequest(count=3))
    assert (await listing.initial_metadata()) is not None
    async for listed in listing:
        pages += listed.pages
    stored: library_pb2.Stored = await stub.Store(drafts())
    async for revised in stub.Revise(drafts()):
        pages += revised.pages
    return pages + stored.pages


async def not_called(stub: library_pb2_grpc.LibraryAsyncStub) -> None:
    await stub.Find(library_pb2.Book())  # type: ignore[arg-type]
    (await stub.Find(library_pb2.FindRequest())).author  # type: ignore[attr-defined] # noqa: B018
    await stub.List(library_pb2.ListRequest())  # type: ignore[misc]
    library_pb2.FindRequest(title=1)  # type: ignore[arg-type]


async def main() -> None:
    if not STOCK:
        uvgrpc.install(strict=True)
    server: grpc.aio.Server = grpc.aio.server()
    library_pb2_grpc.add_LibraryServicer_to_server(Library(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        print(await call_all(channel))
    # The same stubs take the channels of uvgrpc.aio.
    if not STOCK:
        async with aio.insecure_channel(f"127.0.0.1:{port}") as ours:
            print(await call_all(ours))
    await server.stop(None)


if __name__ == "__main__":
    uvloop.run(main())
