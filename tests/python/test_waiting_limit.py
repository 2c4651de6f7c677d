# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The server option uvgrpc.max_waiting_rpcs."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from peers import frames
from support import aio, echo, run, service, serving, unary, until

from uvgrpc import loop_stats

pytestmark = pytest.mark.uvgrpc_only

EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
OK = grpc.StatusCode.OK


def _options(limit: Any) -> list[tuple[str, Any]]:
    return [("uvgrpc.max_waiting_rpcs", limit)]


@pytest.mark.parametrize(
    ("limit", "error"),
    [(0, ValueError), (-1, ValueError), ("1", TypeError), (1.5, TypeError), (2**31, OverflowError)],
)
def test_a_wrong_limit_is_refused(limit: Any, error: type[Exception]) -> None:
    async def main() -> None:
        with pytest.raises(error):
            aio.server(options=_options(limit))

    run(main())


def test_rpcs_that_come_all_at_once_are_refused_beyond_the_limit() -> None:
    """As a server sees them whose loop was busy meanwhile: all in one read."""

    async def main() -> None:
        async with serving(service(Method=unary(echo)), options=_options(5)) as running:
            connection = await frames.Connection.open(running.port)
            await connection.ping()
            block = frames.headers("/test.Service/Method")
            connection.writer.write(b"".join(frames.request(2 * n + 1, block, b"hi") for n in range(30)))
            ended = refused = 0
            while ended < 30:
                kind, flags, _, payload = await connection.next()
                if kind == frames.HEADERS and flags & 1:
                    ended += 1
                    refused += b"Too many RPCs wait" in payload or b"grpc-status\x018" in payload
            assert 0 < refused <= 25
            connection.close()
            # The slots are free again.
            async with aio.insecure_channel(running.target) as channel:
                method = channel.unary_unary("/test.Service/Method")
                for _ in range(20):
                    assert await method(b"x") == b"x"

    run(main())


def test_handlers_that_wait_for_a_thread_count() -> None:
    def blocking(request: bytes, context: Any) -> bytes:
        go_on.wait(20)
        return request

    async def main() -> None:
        handlers = service(Blocking=unary(blocking), Async=unary(echo))
        with ThreadPoolExecutor(1) as pool:
            async with (
                serving(handlers, options=_options(3), migration_thread_pool=pool) as running,
                aio.insecure_channel(running.target) as channel,
            ):
                method = channel.unary_unary("/test.Service/Blocking")
                first = method(b"0")
                # One has the thread. Then three may wait.
                await until(lambda: loop_stats().residents >= 4)
                await asyncio.sleep(0.05)
                calls = [method(b"%d" % index) for index in range(1, 6)]
                # Those that are refused are so at once.
                codes = [calls[index].code() for index in (3, 4)]
                async with asyncio.timeout(10):
                    assert await asyncio.gather(*codes) == [EXHAUSTED, EXHAUSTED]
                # Handlers that need no thread are none of their business.
                assert await channel.unary_unary("/test.Service/Async")(b"x") == b"x"
                # Who gives up makes room.
                assert calls[2].cancel()
                async with asyncio.timeout(10):
                    while True:
                        later = method(b"later")
                        done, _ = await asyncio.wait([asyncio.ensure_future(later.code())], timeout=0.05)
                        if not done:
                            break
                go_on.set()
                answered = await asyncio.gather(first, *calls[:2], later)
                assert answered == [b"0", b"1", b"2", b"later"]

    go_on = threading.Event()
    run(main())


def test_no_limit_is_the_default() -> None:
    async def slow(request: bytes, context: Any) -> bytes:
        time.sleep(0.001)  # noqa: ASYNC251 - so that others wait
        return request

    async def main() -> None:
        async with (
            serving(service(Method=unary(slow))) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            method = channel.unary_unary("/test.Service/Method")
            assert await asyncio.gather(*(method(b"x") for _ in range(500))) == [b"x"] * 500

    run(main())
