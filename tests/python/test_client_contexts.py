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


# ---- what the contract says of outcomes


@pytest.mark.parametrize("arity", ["unary_unary", "unary_stream", "stream_unary", "stream_stream"])
def test_the_debug_string_of_a_call_that_is_ok_is_empty(arity: str) -> None:
    async def join(requests: AsyncIterator[bytes], _context: Any) -> bytes:
        return b"".join([request async for request in requests])

    async def chat(requests: AsyncIterator[bytes], _context: Any) -> AsyncIterator[bytes]:
        async for request in requests:
            yield request

    async def main() -> None:
        handlers = service(
            unary_unary=_one,
            unary_stream=grpc.unary_stream_rpc_method_handler(_few),
            stream_unary=grpc.stream_unary_rpc_method_handler(join),
            stream_stream=grpc.stream_stream_rpc_method_handler(chat),
        )
        async with serving(handlers) as running, aio.insecure_channel(running.target) as channel:
            method = getattr(channel, arity)(f"/test.Service/{arity}")
            call = method(iter([b"x"])) if arity.startswith("stream") else method(b"x")
            if arity.endswith("stream"):
                async for _ in call:
                    pass
            assert await call.code() is grpc.StatusCode.OK
            assert await call.debug_error_string() == ""
            assert await call.details() == ""

    run(main())


@pytest.mark.parametrize("way", ["unary_unary", "unary_stream", "write", "iterator"])
def test_a_serializer_that_returns_a_str_is_named(way: str) -> None:
    def careless(request: bytes) -> str:
        return "text"

    async def main() -> None:
        async with serving(service(One=_one)) as running, aio.insecure_channel(running.target) as channel:
            arity = way if way.startswith("unary") else "stream_unary"
            method = getattr(channel, arity)("/test.Service/One", request_serializer=careless)
            if way.startswith("unary"):
                with pytest.raises(TypeError, match="careless"):
                    method(b"x")
            elif way == "write":
                call = method()
                with pytest.raises(TypeError, match="careless"):
                    await call.write(b"x")
                call.cancel()
            else:
                call = method(iter([b"x"]))
                assert await call.code() is not grpc.StatusCode.OK
            assert await channel.unary_unary("/test.Service/One")(b"x") == b"x"

    run(main())
