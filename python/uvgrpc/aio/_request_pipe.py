# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""From write() to an iterator of requests."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Any


class RequestPipe(AsyncIterator[Any]):
    """What is written on an intercepted call, as the iterator that interceptors get.

    It buffers nothing: a write waits until the reader takes its message. The reader is a
    call, which asks for a message when it has sent the one before: so writers feel the
    flow control of the connection.
    """

    def __init__(self, event_loop: asyncio.AbstractEventLoop) -> None:
        self._loop = event_loop
        self._offers: deque[tuple[Any, asyncio.Future[bool]]] = deque()
        self._readers: list[asyncio.Future[None]] = []
        self._closed = False
        self._finished = False

    @property
    def is_closed(self) -> bool:
        """Whether no more messages will be written."""
        return self._closed

    async def put(self, message: Any) -> bool:
        """Waits until `message` is taken. False if that cannot happen any more."""
        if self._finished:
            return False
        taken: asyncio.Future[bool] = self._loop.create_future()
        self._offers.append((message, taken))
        self._wake_readers()
        return await taken

    def close(self) -> None:
        """Ends the iterator after what has been written. Idempotent."""
        self._closed = True
        self._wake_readers()

    def finish(self) -> None:
        """Lets go of everybody who waits: the RPC is over. Idempotent."""
        self._finished = True
        for _, taken in self._offers:
            if not taken.done():
                taken.set_result(False)
        self._offers.clear()
        self._wake_readers()

    def _wake_readers(self) -> None:
        readers, self._readers = self._readers, []
        for reader in readers:
            if not reader.done():
                reader.set_result(None)

    async def __anext__(self) -> Any:
        while True:
            while self._offers:
                message, taken = self._offers.popleft()
                if not taken.done():  # else its writer was cancelled
                    taken.set_result(True)
                    return message
            if self._closed or self._finished:
                raise StopAsyncIteration
            reader: asyncio.Future[None] = self._loop.create_future()
            self._readers.append(reader)
            await reader
