# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Interceptors on the server: per RPC, in the RPC's own context, free to change the handler."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import grpc
import pytest
from rig import arities, before_each, echo_of, failure_of, handler, looped, result_of, uu, wired
from support import aio


class Recording(aio.ServerInterceptor):
    """Remembers what it is told, under a name."""

    def __init__(self, name: str, seen: list[Any]) -> None:
        self.name = name
        self.seen = seen

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        self.seen.append((self.name, details.method, dict(details.invocation_metadata).get("x-key")))
        return await continuation(details)


@arities
@looped
async def test_interceptors_are_asked_in_order_about_every_call(arity: str) -> None:
    seen: list[Any] = []
    interceptors = [Recording("first", seen), Recording("second", seen)]
    async with wired(echo_of(arity), server_options={"interceptors": interceptors}) as wire:
        for _ in range(2):
            assert await result_of(wire(metadata=(("x-key", "value"),))) == b"request"
    path = "/test.Service/Method"
    assert seen == [("first", path, "value"), ("second", path, "value")] * 2


@arities
@looped
async def test_an_interceptor_is_asked_about_methods_that_do_not_exist(arity: str) -> None:
    seen: list[Any] = []
    async with wired(server_options={"interceptors": [Recording("one", seen)]}) as wire:
        method = getattr(wire.channel, arity)("/test.Service/Nothing")
        error = await failure_of(method([b""] if arity.startswith("stream") else b""))
        assert error.code() is grpc.StatusCode.UNIMPLEMENTED
    assert seen == [("one", "/test.Service/Nothing", None)]


@arities
@looped
async def test_an_interceptor_may_answer_that_there_is_no_handler(arity: str) -> None:
    class Hiding(aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            return None

    async with wired(echo_of(arity), server_options={"interceptors": [Hiding()]}) as wire:
        error = await failure_of(wire())
        assert (error.code(), error.details()) == (
            grpc.StatusCode.UNIMPLEMENTED,
            "Method not found!",
        )


@arities
@looped
async def test_an_interceptor_may_replace_the_handler(arity: str) -> None:
    async def refuse(context: Any) -> None:
        await context.abort(grpc.StatusCode.PERMISSION_DENIED, "no")

    class Refusing(aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            if ("x-key", "secret") in details.invocation_metadata:
                return await continuation(details)
            return before_each(arity, refuse)

    async with wired(echo_of(arity), server_options={"interceptors": [Refusing()]}) as wire:
        assert (await failure_of(wire())).code() is grpc.StatusCode.PERMISSION_DENIED
        assert await result_of(wire(metadata=(("x-key", "secret"),))) == b"request"


@looped
async def test_an_interceptor_may_wrap_the_behavior_of_a_handler() -> None:
    class Wrapping(aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            found = await continuation(details)
            inner = found.unary_unary

            async def behavior(request: bytes, context: Any) -> bytes:
                return b"<" + await inner(request, context) + b">"

            return found._replace(unary_unary=behavior)

    async with wired(echo_of("unary_unary"), server_options={"interceptors": [Wrapping()] * 2}) as wire:
        assert await wire() == b"<<request>>"


@looped
async def test_an_interceptor_may_change_the_call_details() -> None:
    class Details(grpc.HandlerCallDetails):
        def __init__(self, method: str, invocation_metadata: Any) -> None:
            self.method = method
            self.invocation_metadata = invocation_metadata

    seen: list[Any] = []

    class Renaming(aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            return await continuation(details)

    interceptors = [Renaming(), Recording("last", seen)]
    async with wired(echo_of("unary_unary"), server_options={"interceptors": interceptors}) as wire:
        assert await wire() == b"request"
    assert seen[0][1] == "/test.Service/Method"


@arities
@looped
async def test_context_variables_of_an_interceptor_are_seen_in_handlers(arity: str) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")
    seen: list[str] = []

    class Setting(aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            assert variable.get() == "unset"
            variable.set("set")
            return await continuation(details)

    async def look(context: Any) -> None:
        seen.append(variable.get())

    async with wired(before_each(arity, look), server_options={"interceptors": [Setting()]}) as wire:
        await asyncio.gather(*(result_of(wire()) for _ in range(3)))
    assert seen == ["set"] * 3
    assert variable.get() == "unset"


@arities
@looped
async def test_the_task_of_an_interceptor_is_the_handlers(arity: str) -> None:
    tasks: list[Any] = []

    class Looking(aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            tasks.append(asyncio.current_task())
            return await continuation(details)

    async def look(context: Any) -> None:
        tasks.append(asyncio.current_task())

    async with wired(before_each(arity, look), server_options={"interceptors": [Looking()]}) as wire:
        await result_of(wire())
    assert tasks[0] is tasks[1]
    tasks.clear()


@arities
@looped
async def test_an_interceptor_that_waits_delays_only_its_own_call(arity: str) -> None:
    go = asyncio.Event()

    class Waiting(aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            if ("x-key", "slow") in details.invocation_metadata:
                await go.wait()
            return await continuation(details)

    async with wired(echo_of(arity), server_options={"interceptors": [Waiting()]}) as wire:
        slow = wire(metadata=(("x-key", "slow"),))
        assert await result_of(wire()) == b"request"
        assert not slow.done()
        go.set()
        assert await result_of(slow) == b"request"


@arities
@looped
async def test_a_call_may_be_cancelled_while_an_interceptor_waits(arity: str) -> None:
    entered, left = asyncio.Event(), asyncio.Event()

    class Waiting(aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            entered.set()
            try:
                await asyncio.Event().wait()
            finally:
                left.set()

    async with wired(echo_of(arity), server_options={"interceptors": [Waiting()]}) as wire:
        call = wire()
        await entered.wait()
        call.cancel()
        await asyncio.wait_for(left.wait(), 3)


@arities
@looped
async def test_an_interceptor_that_raises_fails_the_call(arity: str) -> None:
    class Raising(aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            raise ValueError("no")

    async with wired(echo_of(arity), server_options={"interceptors": [Raising()]}) as wire:
        error = await failure_of(wire())
        assert error.code() is grpc.StatusCode.UNKNOWN
        assert error.details() == "Unexpected <class 'ValueError'>: no"


@looped
async def test_an_interceptor_sees_registered_methods() -> None:
    seen: list[Any] = []
    server = aio.server(interceptors=[Recording("one", seen)])
    server.add_registered_method_handlers("test.Service", {"Method": echo_of("unary_unary")})
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        assert await channel.unary_unary("/test.Service/Method")(b"x") == b"x"
    await server.stop(None)
    assert seen == [("one", "/test.Service/Method", None)]


@looped
async def test_a_handler_may_be_a_proxy_of_one() -> None:
    """As wrapt's object proxies, which instrumentations use."""

    class Proxy:
        def __init__(self, wrapped: Any) -> None:
            self._wrapped = wrapped

        def __getattr__(self, name: str) -> Any:
            return getattr(self._wrapped, name)

    class Wrapping(aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            return Proxy(await continuation(details))

    async with wired(echo_of("unary_stream"), server_options={"interceptors": [Wrapping()]}) as wire:
        assert await result_of(wire()) == b"request"


@looped
async def test_a_handlers_context_may_be_wrapped_by_an_interceptor() -> None:
    class ContextProxy:
        def __init__(self, wrapped: Any) -> None:
            self._wrapped = wrapped

        def __getattr__(self, name: str) -> Any:
            return getattr(self._wrapped, name)

    class Wrapping(aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            found = await continuation(details)

            async def behavior(request: Any, context: Any) -> Any:
                async for message in found.unary_stream(request, ContextProxy(context)):
                    yield message

            return handler("unary_stream", behavior)

    async with wired(echo_of("unary_stream"), server_options={"interceptors": [Wrapping()]}) as wire:
        assert await result_of(wire()) == b"request"


@looped
async def test_the_same_interceptor_may_serve_two_servers() -> None:
    seen: list[Any] = []
    shared = Recording("shared", seen)
    async with (
        wired(echo_of("unary_unary"), server_options={"interceptors": (shared,)}) as one,
        wired(uu(_upper), server_options={"interceptors": (shared,)}) as two,
    ):
        assert await one() == b"request"
        assert await two() == b"REQUEST"
    assert len(seen) == 2


async def _upper(request: bytes, context: Any) -> bytes:
    return request.upper()


@pytest.mark.parametrize("interceptors", [None, [], ()], ids=repr)
@looped
async def test_no_interceptors_at_all(interceptors: Any) -> None:
    async with wired(echo_of("unary_unary"), server_options={"interceptors": interceptors}) as wire:
        assert await wire() == b"request"
