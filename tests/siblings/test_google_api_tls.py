# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""google-api-core's own secure channel: TLS, and tokens that google-auth fetches."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import google.auth.credentials
from fake_firestore import NAME, FakeFirestore, served
from google.cloud.firestore_v1.services.firestore import FirestoreAsyncClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcAsyncIOTransport
from google.cloud.firestore_v1.types import firestore
from support import run
from tls import channel_tls, server_tls

_FETCH_SECONDS = 0.5


class _Tokens(google.auth.credentials.Credentials):
    """Credentials whose token takes a while, as one does that comes over HTTP."""

    fetched = 0

    def refresh(self, request: Any) -> None:
        time.sleep(_FETCH_SECONDS)
        self.fetched += 1
        self.token = f"token-{self.fetched}"


async def _longest_wait(stop: asyncio.Event) -> float:
    """The longest that the loop let a timer of 5 ms wait, in seconds."""
    longest = 0.0
    while not stop.is_set():
        started = time.monotonic()
        await asyncio.sleep(0.005)
        longest = max(longest, time.monotonic() - started)
    return longest


def test_a_token_is_fetched_without_holding_up_the_loop() -> None:
    async def main() -> None:
        fake, tokens = FakeFirestore(), _Tokens()
        async with served(fake, server_tls()) as target:
            transport = FirestoreGrpcAsyncIOTransport(
                host=target, credentials=tokens, ssl_channel_credentials=channel_tls()
            )
            async with FirestoreAsyncClient(transport=transport) as client:
                stop = asyncio.Event()
                waiting = asyncio.ensure_future(_longest_wait(stop))
                started = time.monotonic()
                found = await client.get_document(firestore.GetDocumentRequest(name=NAME))
                assert time.monotonic() - started >= _FETCH_SECONDS
                assert found.name == NAME
                assert fake.metadata["authorization"] == "Bearer token-1"
                await client.get_document(firestore.GetDocumentRequest(name=NAME))
                stop.set()
                assert await waiting < _FETCH_SECONDS / 2
        # The token is kept as long as it is good.
        assert tokens.fetched == 1

    run(main())
