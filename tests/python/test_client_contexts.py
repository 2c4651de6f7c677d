# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The context variables that user code sees, and those that it sets, stay where they belong."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from support import aio, run, service, serving

pytestmark = pytest.mark.uvgrpc_only

name: contextvars.ContextVar[str] = contextvars.ContextVar("name", default="nobody")


async def _few(request: bytes, _context: Any) -> AsyncIterator[bytes]:
    for _ in range(3):
        yield request


def test_a_done_callback_sees_the_variables_of_who_added_it_and_leaks_none() -> None:
    seen: list[str] = []

    def callback(_call: Any) -> None:
        seen.append(name.get())
        name.set("leaked")

    async def add(call: Any, who: str) -> None:
        name.set(who)
        call.add_done_callback(callback)

    async def main() -> None:
        async def handler(request: bytes, _context: Any) -> bytes:
            seen.append("handler " + name.get())
            return request

        async with serving(service(M=handler)) as running, aio.insecure_channel(running.target) as channel:
            method = channel.unary_unary("/test.Service/M")
            call = method(b"x")
            await asyncio.gather(asyncio.create_task(add(call, "a")), asyncio.create_task(add(call, "b")))
            call.add_done_callback(callback)
            await call
            await asyncio.sleep(0.01)
            assert seen == ["handler nobody", "a", "b", "nobody"]
            assert name.get() == "nobody"
            await method(b"x")
            assert seen[4:] == ["handler nobody"]

    run(main())


@pytest.mark.parametrize("way", ["await", "iterate", "read"])
def test_a_deserializer_sees_the_variables_of_who_waits(way: str) -> None:
    seen: list[str] = []

    def deserializer(message: bytes) -> bytes:
        seen.append(name.get())
        return message

    async def main() -> None:
        handlers = service(Few=grpc.unary_stream_rpc_method_handler(_few), One=_one)
        async with serving(handlers) as running, aio.insecure_channel(running.target) as channel:

            async def use(who: str) -> None:
                name.set(who)
                if way == "await":
                    one = channel.unary_unary("/test.Service/One", response_deserializer=deserializer)
                    await one(b"x")
                    return
                few = channel.unary_stream("/test.Service/Few", response_deserializer=deserializer)
                call = few(b"x")
                if way == "iterate":
                    assert len([message async for message in call]) == 3
                else:
                    while await call.read() is not aio.EOF:
                        pass

            await asyncio.create_task(use("a"))
            await asyncio.create_task(use("b"))
            count = 1 if way == "await" else 3
            assert seen == ["a"] * count + ["b"] * count
            assert name.get() == "nobody"

    run(main())


async def _one(request: bytes, _context: Any) -> bytes:
    return request
