# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""A message that has left was written, however soon the call's status follows."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator

import grpc
from peers import answers
from support import aio, error_of, run

_STATUS = (("grpc-status", "2"), ("grpc-message", "enough"))


@contextlib.contextmanager
def _refusing() -> Iterator[str]:
    """A server, in another thread, that ends calls as soon as they begin. Gives its target."""
    targets: list[str] = []
    stops: list[Callable[[], object]] = []
    ready = threading.Event()

    def answer(stream: int) -> bytes:
        return answers.headers(stream, *answers.OK_HEADERS) + answers.headers(stream, *_STATUS, end=True)

    async def serve() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        async with answers.answering(answer, after_request=False) as target:
            targets.append(target)
            stops.append(lambda: loop.call_soon_threadsafe(stop.set))
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait()
    try:
        yield targets[0]
    finally:
        stops[0]()
        thread.join()


def test_a_write_that_has_left_does_not_raise_the_status() -> None:
    async def call_once(channel: grpc.aio.Channel) -> None:
        call = channel.stream_stream("/test.Service/Method")()
        await call.write(b"x")
        await call.done_writing()
        error = await error_of(call.read())
        assert error.code() is grpc.StatusCode.UNKNOWN
        assert error.details() == "enough"

    async def main() -> None:
        with _refusing() as target:
            async with aio.insecure_channel(target) as channel:
                for _ in range(300):
                    await call_once(channel)
                for _ in range(20):
                    await asyncio.gather(*(call_once(channel) for _ in range(20)))

    run(main())
