# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Interceptors of a server."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from support import aio, echo, error_of, run, service, serving

METHOD = "/test.Service/Method"


class Recording(grpc.aio.ServerInterceptor):
    def __init__(self, name: str, log: list[str]) -> None:
        self.name = name
        self.log = log

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        self.log.append(f"{self.name} in {details.method}")
        handler = await continuation(details)
        self.log.append(f"{self.name} out")
        return handler


def abort_handler(code: grpc.StatusCode, text: str) -> grpc.RpcMethodHandler:
    async def abort(request: bytes, context: Any) -> bytes:
        await context.abort(code, text)
        return b""

    return grpc.unary_unary_rpc_method_handler(abort)


@pytest.mark.parametrize("registered", [True, False])
def test_the_first_is_the_outermost(registered: bool) -> None:
    log: list[str] = []

    async def main() -> None:
        server = aio.server(interceptors=[Recording("a", log), Recording("b", log)])
        handlers = {"Method": grpc.unary_unary_rpc_method_handler(echo)}
        if registered:
            server.add_registered_method_handlers("test.Service", handlers)
        else:
            server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.Service", handlers)])
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            assert await channel.unary_unary(METHOD)(b"x") == b"x"
        await server.stop(None)

    run(main())
    assert log == [f"a in {METHOD}", f"b in {METHOD}", "b out", "a out"]


def test_one_may_refuse_without_asking_on() -> None:
    class Refuses(grpc.aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            if dict(details.invocation_metadata).get("token") != "good":
                return abort_handler(grpc.StatusCode.UNAUTHENTICATED, "who are you")
            return await continuation(details)

    async def main() -> None:
        async with (
            serving(service(Method=echo), interceptors=[Refuses()]) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            method = channel.unary_unary(METHOD)
            assert (await error_of(method(b""))).code() is grpc.StatusCode.UNAUTHENTICATED
            assert await method(b"x", metadata=(("token", "good"),)) == b"x"

    run(main())


def test_none_is_a_method_that_is_not_there() -> None:
    class Hides(grpc.aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            return None

    async def main() -> None:
        async with (
            serving(service(Method=echo), interceptors=[Hides()]) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            error = await error_of(channel.unary_unary(METHOD)(b""))
            assert (error.code(), error.details()) == (grpc.StatusCode.UNIMPLEMENTED, "Method not found!")

    run(main())


@pytest.mark.parametrize("registered", [True, False])
def test_a_handler_may_be_wrapped_or_of_another_arity(registered: bool) -> None:
    class Wraps(grpc.aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            handler = await continuation(details)
            inner = handler.unary_unary

            async def streams(request: bytes, context: Any) -> AsyncIterator[bytes]:
                yield await inner(request, context)
                yield b"and more"

            return grpc.unary_stream_rpc_method_handler(
                streams, handler.request_deserializer, handler.response_serializer
            )

    async def main() -> None:
        server = aio.server(interceptors=[Wraps()])
        handlers = {"Method": grpc.unary_unary_rpc_method_handler(echo)}
        if registered:
            server.add_registered_method_handlers("test.Service", handlers)
        else:
            server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.Service", handlers)])
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = channel.unary_stream(METHOD)(b"x")
            assert [response async for response in call] == [b"x", b"and more"]
        await server.stop(None)

    run(main())


def test_what_it_makes_of_the_details_is_looked_up() -> None:
    class Redirects(grpc.aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            class Details(grpc.HandlerCallDetails):
                method = "/test.Service/Other"
                invocation_metadata = details.invocation_metadata

            return await continuation(Details())

    async def other(request: bytes, context: Any) -> bytes:
        return b"other"

    async def main() -> None:
        async with (
            serving(service(Method=echo, Other=other), interceptors=[Redirects()]) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            assert await channel.unary_unary(METHOD)(b"") == b"other"

    run(main())


def test_context_variables_reach_the_handler_and_stay_in_the_rpc() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")

    class Sets(grpc.aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            who = dict(details.invocation_metadata).get("who")
            if who is not None:
                variable.set(who)
            return await continuation(details)

    async def handler(request: bytes, context: Any) -> bytes:
        await asyncio.sleep(0.01)
        return variable.get().encode()

    async def main() -> None:
        async with (
            serving(service(Method=handler), interceptors=[Sets()]) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            method = channel.unary_unary(METHOD)
            calls = [method(b"", metadata=(("who", str(i)),)) for i in range(20)]
            assert await asyncio.gather(*calls) == [b"%d" % i for i in range(20)]
            assert await method(b"") == b"none"

    run(main())


def test_one_that_raises_ends_the_rpc(caplog: pytest.LogCaptureFixture) -> None:
    class Raises(grpc.aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            raise ValueError("odd")

    async def main() -> None:
        async with (
            serving(service(Method=echo), interceptors=[Raises()]) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            error = await error_of(channel.unary_unary(METHOD)(b""))
            assert error.code() is grpc.StatusCode.UNKNOWN
            assert error.details() == "Unexpected <class 'ValueError'>: odd"

    run(main())


def test_the_limit_counts_what_interceptors_hold_up() -> None:
    entered = asyncio.Event()
    release = asyncio.Event()

    class Waits(grpc.aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            if dict(details.invocation_metadata).get("wait"):
                entered.set()
                await release.wait()
            return await continuation(details)

    async def main() -> None:
        async with (
            serving(service(Method=echo), interceptors=[Waits()], maximum_concurrent_rpcs=1) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            method = channel.unary_unary(METHOD)
            first = method(b"x", metadata=(("wait", "1"),))
            await entered.wait()
            assert (await error_of(method(b""))).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            unknown = channel.unary_unary("/test.Service/Unknown")
            assert (await error_of(unknown(b""))).code() is grpc.StatusCode.UNIMPLEMENTED
            release.set()
            assert await first == b"x"
            assert await method(b"y") == b"y"

    run(main())
