# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Context variables on a server: start()'s are seen, an RPC's own stay its own."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest
from support import aio, run, until

_VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("_VARIABLE", default="unset")


def _get_and_set(new: str) -> bytes:
    """The value that was found, which must not be found by anybody else later."""
    found = _VARIABLE.get()
    _VARIABLE.set(new)
    return found.encode()


async def _coroutine(request: bytes, context: Any) -> bytes:
    return _get_and_set("coroutine")


async def _suspends(request: bytes, context: Any) -> bytes:
    found = _get_and_set("suspends")
    await asyncio.sleep(0.001)
    assert _VARIABLE.get() == "suspends"
    return found


async def _generator(request: bytes, context: Any) -> AsyncIterator[bytes]:
    yield _get_and_set("generator")
    await asyncio.sleep(0)
    yield _get_and_set("generator again")


def _function(request: bytes, context: Any) -> bytes:
    return _get_and_set("function")


def _function_generator(request: bytes, context: Any) -> Iterator[bytes]:
    yield _get_and_set("function generator")


_UNARY = [_coroutine, _suspends, _function]
_STREAMS = [_generator, _function_generator]


def _handlers() -> dict[str, Any]:
    handlers = {one.__name__: grpc.unary_unary_rpc_method_handler(one) for one in _UNARY}
    handlers.update({one.__name__: grpc.unary_stream_rpc_method_handler(one) for one in _STREAMS})
    return handlers


class _Setting(grpc.aio.ServerInterceptor):
    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        assert _VARIABLE.get() == "of start"
        _VARIABLE.set("of interceptor")
        return await continuation(handler_call_details)


@pytest.mark.stock_defect("sync handlers run without the variables")
@pytest.mark.parametrize("route", ["registered", "generic", "intercepted"])
def test_every_handler_sees_the_variables_of_start_and_no_other_rpc_s(route: str) -> None:
    async def main() -> None:
        server = aio.server(interceptors=[_Setting()] if route == "intercepted" else None)
        if route == "registered":
            server.add_registered_method_handlers("t", _handlers())
        else:
            server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("t", _handlers())])
        port = server.add_insecure_port("127.0.0.1:0")
        _VARIABLE.set("of start")
        await server.start()
        _VARIABLE.set("later")
        expected = b"of interceptor" if route == "intercepted" else b"of start"
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            for _ in range(3):
                for one in _UNARY:
                    assert await channel.unary_unary(f"/t/{one.__name__}")(b"") == expected
                for one in _STREAMS:
                    call = channel.unary_stream(f"/t/{one.__name__}")(b"")
                    found = [message async for message in call]
                    assert found[0] == expected
                    assert found[1:] in ([], [b"generator"])
        await server.stop(None)
        assert _VARIABLE.get() == "later"

    run(main())


@pytest.mark.uvgrpc_only
def test_what_runs_for_an_rpc_runs_in_its_own_context() -> None:
    """Deserializer and serializer in the handler's, done callbacks where they were added."""
    found: dict[str, str] = {}

    def note(place: str) -> None:
        found[place] = _VARIABLE.get()
        _VARIABLE.set(f"leaked from {place}")

    def deserialize(data: bytes) -> bytes:
        found["deserializer"] = _VARIABLE.get()
        return data

    def serialize(data: bytes) -> bytes:
        found["serializer"] = _VARIABLE.get()
        return data

    async def handler(request: bytes, context: Any) -> bytes:
        _VARIABLE.set("first")
        context.add_done_callback(lambda _context: note("first callback"))
        _VARIABLE.set("second")
        context.add_done_callback(lambda _context: note("second callback"))
        _VARIABLE.set("handler")
        return request

    async def main() -> None:
        server = aio.server()
        method = grpc.unary_unary_rpc_method_handler(handler, deserialize, serialize)
        server.add_registered_method_handlers("t", {"M": method})
        port = server.add_insecure_port("127.0.0.1:0")
        _VARIABLE.set("of start")
        await server.start()
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            for _ in range(3):
                found.clear()
                await channel.unary_unary("/t/M")(b"x")
                await until(lambda: len(found) == 4)
                assert found == {
                    "deserializer": "of start",
                    "serializer": "handler",
                    "first callback": "first",
                    "second callback": "second",
                }
        await server.stop(None)

    run(main())
