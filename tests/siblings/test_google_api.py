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
from fake_firestore import NAME, PARENT, FakeFirestore, served
from google.api_core import exceptions
from google.api_core.retry_async import AsyncRetry, if_exception_type
from google.cloud.firestore_v1.services.firestore import FirestoreAsyncClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcAsyncIOTransport
from google.cloud.firestore_v1.types import document, firestore
from library import until_failure, without_frames
from support import Outcome, in_time, run, until

_QUICKLY = {"initial": 0.01, "maximum": 0.02}


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
            found = await client.get_document(firestore.GetDocumentRequest(name=NAME))
            assert found == document.Document(name=NAME)
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
            found = await client.get_document(firestore.GetDocumentRequest(name=NAME), retry=retry)
            assert (found.name, fake.attempts) == (NAME, 3)

    run(main())


def test_the_clients_own_retry_policy() -> None:
    async def main() -> None:
        fake = FakeFirestore()
        fake.failures = [grpc.StatusCode.UNAVAILABLE]
        async with connected(fake) as client:
            assert (await client.get_document(firestore.GetDocumentRequest(name=NAME))).name == NAME
            assert fake.attempts == 2

    run(main())


def test_an_error_is_mapped_and_keeps_its_call() -> None:
    async def main() -> None:
        fake = FakeFirestore()
        fake.failures = [grpc.StatusCode.NOT_FOUND]
        async with connected(fake) as client:
            with pytest.raises(exceptions.NotFound, match="not this time") as raised:
                await client.get_document(firestore.GetDocumentRequest(name=NAME))
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
                    firestore.GetDocumentRequest(name=NAME + "-slow"), retry=None, timeout=0.2
                )
            in_time(started, 5)
            without_frames(raised.value)

    run(main())


def test_pages_are_fetched_as_they_are_needed() -> None:
    async def main() -> None:
        async with connected(FakeFirestore()) as client:
            pager = await client.list_documents(
                firestore.ListDocumentsRequest(parent=PARENT, collection_id="books", page_size=3)
            )
            names = [item.name async for item in pager]
            assert names == [f"{PARENT}/books/{number}" for number in range(7)]
            pager = await client.list_documents(
                firestore.ListDocumentsRequest(parent=PARENT, collection_id="books", page_size=3)
            )
            assert [len(page.documents) async for page in pager.pages] == [3, 3, 1]

    run(main())


def test_a_stream_of_responses_and_its_error() -> None:
    async def main() -> None:
        fake = FakeFirestore()
        async with connected(fake) as client:
            stream = await client.run_query(firestore.RunQueryRequest(parent=PARENT))
            assert len([response async for response in stream]) == 3
            fake.failures = [grpc.StatusCode.PERMISSION_DENIED]
            stream = await client.run_query(firestore.RunQueryRequest(parent=PARENT))
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
from fake_firestore import FakeFirestore, served
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
