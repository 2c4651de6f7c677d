# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""betterproto2: its messages and stubs on grpc.aio, and grpclib beside it on one loop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from generate import generate
from library import EVERY_ARITY
from support import Outcome

_GRPCLIB_CALLS_UVGRPC = """
from grpclib.client import Channel
from better.uvgrpc import siblings as better

async def main():
    install()
    async with serving(grace=10) as target:
        host, port = target.split(":")
        async with Channel(host, int(port)) as channel:
            stub = better.LibraryStub(channel)
            drafts = [better.Book(title="draft", pages=1), better.Book(title="draft", pages=2)]
            results = {
                "Find": (await stub.find(better.FindRequest(title="Emma"))).pages,
                "List": [book.title async for book in stub.list(better.ListRequest(count=2))],
                "Store": (await stub.store(drafts)).pages,
                "Revise": [book.pages async for book in stub.revise(drafts)],
            }
    print(json.dumps(results))

uvloop.run(main())
"""

_UVGRPC_CALLS_GRPCLIB = """
from grpclib.server import Server
from better.uvgrpc import siblings as better

class Shelf(better.LibraryBase):
    async def find(self, message):
        return better.Book(title=message.title, pages=len(message.title))

    async def list(self, message):
        for number in range(message.count):
            yield better.Book(title=f"volume {number}", pages=number)

    async def store(self, messages):
        pages = [book.pages async for book in messages]
        return better.Stored(books=len(pages), pages=sum(pages))

    async def revise(self, messages):
        async for book in messages:
            yield better.Book(title=book.title, pages=book.pages + 1)

async def main():
    install()
    server = Server([Shelf()])
    await server.start("127.0.0.1", 0)
    port = server._server.sockets[0].getsockname()[1]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        results = await every_arity(stub_on(channel))
    server.close()
    await server.wait_closed()
    print(json.dumps(results))

uvloop.run(main())
"""

_BETTER_MESSAGES = """
from better.uvgrpc import siblings as better

def blocking(target):
    with grpc.insecure_channel(target) as channel:
        stub = better.LibrarySyncStub(channel)
        return [
            stub.find(better.FindRequest(title="Emma")).pages,
            [book.title for book in stub.list(better.ListRequest(count=2))],
            stub.store([better.Book(pages=1), better.Book(pages=2)]).pages,
            [book.pages for book in stub.revise([better.Book(pages=1)])],
        ]

async def main():
    install()
    async with serving(grace=10) as target, grpc.aio.insecure_channel(target) as channel:
        # What betterproto2 writes for grpcio's channels gives an awaitable with grpc.aio's.
        book = await better.LibrarySyncStub(channel).find(better.FindRequest(title="Emma"))
        assert isinstance(book, better.Book)
        print(json.dumps([book.pages, await asyncio.to_thread(blocking, target)]))

uvloop.run(main())
"""


@pytest.fixture(scope="module")
def better(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the package `better`, made by betterproto2's compiler."""
    directory = tmp_path_factory.mktemp("betterproto2")
    generate(
        directory / "better",
        "python_betterproto2:client_generation=async_sync,server_generation=async",
    )
    return directory


def _source(better: Path, source: str) -> str:
    return f"sys.path.insert(0, {str(better)!r})\n{source}"


def test_grpclib_calls_uvgrpc_on_the_same_loop(better: Path, program: Callable[[str], Outcome]) -> None:
    assert program(_source(better, _GRPCLIB_CALLS_UVGRPC)).result == EVERY_ARITY


def test_uvgrpc_calls_grpclib_on_the_same_loop(better: Path, program: Callable[[str], Outcome]) -> None:
    assert program(_source(better, _UVGRPC_CALLS_GRPCLIB)).result == EVERY_ARITY


def test_stubs_for_grpcio_with_betterproto2s_messages(
    better: Path, program: Callable[[str], Outcome]
) -> None:
    expected = [4, [4, ["volume 0", "volume 1"], 3, [2]]]
    assert program(_source(better, _BETTER_MESSAGES)).result == expected
