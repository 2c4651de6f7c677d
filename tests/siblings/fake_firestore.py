# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""A server that plays Firestore."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
from google.cloud.firestore_v1.types import document, firestore

PARENT = "projects/p/databases/(default)/documents"
NAME = f"{PARENT}/books/emma"


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
        names = [f"{PARENT}/books/{number}" for number in range(start, min(start + request.page_size, 7))]
        return firestore.ListDocumentsResponse(
            documents=[document.Document(name=name) for name in names],
            next_page_token=str(start + len(names)) if start + len(names) < 7 else "",
        )

    async def RunQuery(self, request: Any, context: Any) -> Any:
        for number in range(3):
            yield firestore.RunQueryResponse(document=document.Document(name=f"{PARENT}/books/{number}"))
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
async def served(
    fake: FakeFirestore, credentials: grpc.ServerCredentials | None = None
) -> AsyncIterator[str]:
    """Serves `fake`, over TLS with `credentials`; gives the target."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((fake.handlers(),))
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)
