# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""google-api-core, with Firestore's AsyncIO client against a server that plays Firestore."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import grpc.aio
import pytest
from google.api_core import exceptions
from google.api_core.retry_async import AsyncRetry, if_exception_type
from google.cloud.firestore_v1.services.firestore import FirestoreAsyncClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcAsyncIOTransport
from google.cloud.firestore_v1.types import document, firestore
from library import until_failure, without_frames
from support import Outcome, in_time, run, until

_NAME = "projects/p/databases/(default)/documents/books/emma"
_PARENT = "projects/p/databases/(default)/documents"
_QUICKLY = {"initial": 0.01, "maximum": 0.02}


class FakeFirestore:
    """As much of Firestore's service as the tests call."""

    def __init__(self) -> None:
        self.attempts = 0
        self.failures: list[grpc.StatusCode] = []
        self.metadata: dict[str, Any] = {}
        self.listeners = 0

    async def GetDocument(self, request: Any, context: Any) -> Any:
        self.attempts += 1
        self.metadata = dict(context.invocation_metadata())
        if request.name.endswith("slow"):
            await asyncio.Event().wait()
        if self.failures:
            await context.abort(self.failures.pop(0), "not this time")
        return document.Document(name=request.name)

    async def ListDocuments(self, request: Any, context: Any) -> Any:
        start = int(request.page_token or 0)
        names = [f"{_PARENT}/books/{number}" for number in range(start, min(start + request.page_size, 7))]
        return firestore.ListDocumentsResponse(
            documents=[document.Document(name=name) for name in names],
            next_page_token=str(start + len(names)) if start + len(names) < 7 else "",
        )

    async def RunQuery(self, request: Any, context: Any) -> Any:
        for number in range(3):
            yield firestore.RunQueryResponse(document=document.Document(name=f"{_PARENT}/books/{number}"))
        if self.failures:
            await context.abort(self.failures.pop(0), "the rest is lost")

    async def Listen(self, request_iterator: Any, context: Any) -> Any:
        self.listeners += 1
        try:
            async for request in request_iterator:
                yield firestore.ListenResponse(
                    target_change=firestore.TargetChange(target_ids=[request.add_target.target_id])
                )
        finally:
            self.listeners -= 1

    def handlers(self) -> grpc.GenericRpcHandler:
        def codecs(request: Any, response: Any) -> dict[str, Any]:
            return {"request_deserializer": request.deserialize, "response_serializer": response.serialize}

        return grpc.method_handlers_generic_handler(
            "google.firestore.v1.Firestore",
            {
                "GetDocument": grpc.unary_unary_rpc_method_handler(
                    self.GetDocument, **codecs(firestore.GetDocumentRequest, document.Document)
                ),
                "ListDocuments": grpc.unary_unary_rpc_method_handler(
                    self.ListDocuments,
                    **codecs(firestore.ListDocumentsRequest, firestore.ListDocumentsResponse),
                ),
                "RunQuery": grpc.unary_stream_rpc_method_handler(
                    self.RunQuery, **codecs(firestore.RunQueryRequest, firestore.RunQueryResponse)
                ),
                "Listen": grpc.stream_stream_rpc_method_handler(
                    self.Listen, **codecs(firestore.ListenRequest, firestore.ListenResponse)
                ),
            },
        )


@contextlib.asynccontextmanager
async def served(fake: FakeFirestore) -> AsyncIterator[str]:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((fake.handlers(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


@contextlib.asynccontextmanager
async def connected(fake: FakeFirestore) -> AsyncIterator[FirestoreAsyncClient]:
    async with served(fake) as target:
        transport = FirestoreGrpcAsyncIOTransport(channel=grpc.aio.insecure_channel(target))
        async with FirestoreAsyncClient(transport=transport) as client:
            yield client


def test_a_unary_call_with_its_routing_header() -> None:
    async def main() -> None:
        fake = FakeFirestore()
        async with connected(fake) as client:
            found = await client.get_document(firestore.GetDocumentRequest(name=_NAME))
            assert found == document.Document(name=_NAME)
            assert fake.metadata["x-goog-request-params"].startswith("name=projects/p/")
            assert "gapic/" in fake.metadata["x-goog-api-client"]

    run(main())


def test_transient_failures_are_tried_again() -> None:
    async def main() -> None:
        fake = FakeFirestore()
        fake.failures = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED]
        retry = AsyncRetry(
            if_exception_type(exceptions.ServiceUnavailable, exceptions.ResourceExhausted), **_QUICKLY
        )
        async with connected(fake) as client:
            found = await client.get_document(firestore.GetDocumentRequest(name=_NAME), retry=retry)
            assert (found.name, fake.attempts) == (_NAME, 3)

    run(main())


def test_the_clients_own_retry_policy() -> None:
    async def main() -> None:
        fake = FakeFirestore()
        fake.failures = [grpc.StatusCode.UNAVAILABLE]
        async with connected(fake) as client:
            assert (await client.get_document(firestore.GetDocumentRequest(name=_NAME))).name == _NAME
            assert fake.attempts == 2

    run(main())


def test_an_error_is_mapped_and_keeps_its_call() -> None:
    async def main() -> None:
        fake = FakeFirestore()
        fake.failures = [grpc.StatusCode.NOT_FOUND]
        async with connected(fake) as client:
            with pytest.raises(exceptions.NotFound, match="not this time") as raised:
                await client.get_document(firestore.GetDocumentRequest(name=_NAME))
            (cause,) = raised.value.errors
            assert isinstance(cause, grpc.aio.AioRpcError)
            assert raised.value.grpc_status_code is grpc.StatusCode.NOT_FOUND
            assert fake.attempts == 1
            without_frames(raised.value)

    run(main())


def test_a_timeout_is_a_deadline() -> None:
    async def main() -> None:
        async with connected(FakeFirestore()) as client:
            started = time.monotonic()
            with pytest.raises(exceptions.DeadlineExceeded) as raised:
                await client.get_document(
                    firestore.GetDocumentRequest(name=_NAME + "-slow"), retry=None, timeout=0.2
                )
            in_time(started, 5)
            without_frames(raised.value)

    run(main())


def test_pages_are_fetched_as_they_are_needed() -> None:
    async def main() -> None:
        async with connected(FakeFirestore()) as client:
            pager = await client.list_documents(
                firestore.ListDocumentsRequest(parent=_PARENT, collection_id="books", page_size=3)
            )
            names = [item.name async for item in pager]
            assert names == [f"{_PARENT}/books/{number}" for number in range(7)]
            pager = await client.list_documents(
                firestore.ListDocumentsRequest(parent=_PARENT, collection_id="books", page_size=3)
            )
            assert [len(page.documents) async for page in pager.pages] == [3, 3, 1]

    run(main())


def test_a_stream_of_responses_and_its_error() -> None:
    async def main() -> None:
        fake = FakeFirestore()
        async with connected(fake) as client:
            stream = await client.run_query(firestore.RunQueryRequest(parent=_PARENT))
            assert len([response async for response in stream]) == 3
            fake.failures = [grpc.StatusCode.PERMISSION_DENIED]
            stream = await client.run_query(firestore.RunQueryRequest(parent=_PARENT))
            given, error = await until_failure(stream, exceptions.PermissionDenied)
            assert len(given) == 3
            assert error.message == "the rest is lost"

    run(main())


def test_a_bidirectional_stream_goes_both_ways_until_it_is_cancelled() -> None:
    async def main() -> None:
        fake = FakeFirestore()
        sent: asyncio.Queue[int] = asyncio.Queue()

        async def requests() -> AsyncIterator[Any]:
            while True:
                target = firestore.Target(target_id=await sent.get())
                yield firestore.ListenRequest(database="projects/p/databases/d", add_target=target)

        async with connected(fake) as client:
            stream = await client.listen(requests=requests())
            answers = aiter(stream)
            for number in (3, 5):
                sent.put_nowait(number)
                change = (await anext(answers)).target_change
                assert list(change.target_ids) == [number]
            assert fake.listeners == 1
            assert stream.cancel()
            await until(lambda: fake.listeners == 0)

    run(main())


_HIGH_LEVEL = """
import warnings
warnings.simplefilter("default")
warnings.simplefilter("error", ResourceWarning)
from test_google_api import FakeFirestore, served
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore

async def main():
    install()
    async with served(FakeFirestore()) as target:
        os.environ["FIRESTORE_EMULATOR_HOST"] = target
        client = firestore.AsyncClient(project="p", credentials=AnonymousCredentials())
        query = client.collection("books").where(filter=firestore.FieldFilter("pages", ">", 1))
        print(json.dumps([snapshot.id async for snapshot in query.stream()]))
        await client._firestore_api.transport.close()

uvloop.run(main())
"""


def test_the_high_level_client(program: Callable[[str], Outcome]) -> None:
    assert program(_HIGH_LEVEL).result == ["0", "1", "2"]
