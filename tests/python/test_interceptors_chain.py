# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Client interceptors: which are asked, in which order, and how often they go on."""

from __future__ import annotations

from typing import Any

import grpc
import grpc.aio
import pytest
from intercepting import (
    ARITIES,
    UNARY_UNARY,
    Arity,
    Peer,
    interceptor,
    passing,
)
from intercepting import arity as arity
from intercepting import peer as peer
from support import aio, calling, echo, run

# ---- which, and in which order


def test_the_first_interceptor_is_the_outermost(arity: Arity, peer: Peer) -> None:
    order = []

    def noting(name: str) -> Any:
        async def body(continuation: Any, details: Any, request: Any) -> Any:
            order.append(f"{name} in")
            call = await continuation(details, request)
            order.append(f"{name} out")
            return call

        return interceptor(body, arity)

    async def main() -> None:
        async with peer.channel(noting("a"), noting("b")) as channel:
            assert await arity.outcome(arity.method(channel, "echo")(b"1,2")) == b"1,2"
            assert order == ["a in", "b in", "b out", "a out"]

    run(main())


@pytest.mark.stock_defect("it is registered for the first of its kinds only (#40946)")
def test_one_interceptor_of_all_kinds_is_asked_for_all(peer: Peer) -> None:
    seen = []

    async def body(continuation: Any, details: Any, request: Any) -> Any:
        seen.append(details.method)
        return await continuation(details, request)

    async def main() -> None:
        async with peer.channel(interceptor(body)) as channel:
            for each in ARITIES:
                await each.outcome(each.method(channel, "echo")(b"1"))
            assert seen == [f"/intercept.Service/{each.name}_echo".encode() for each in ARITIES]

    run(main())


def test_an_interceptor_is_asked_for_its_own_kind_only() -> None:
    asked = []

    async def body(continuation: Any, details: Any, request: Any) -> Any:
        asked.append(details.method)
        return await continuation(details, request)

    async def main() -> None:
        others = [interceptor(body, each) for each in ARITIES if each is not UNARY_UNARY]
        channel = aio.insecure_channel("127.0.0.1:1", interceptors=others)
        lists = [getattr(channel, f"_{each.name}_interceptors") for each in ARITIES]
        assert lists == [[], *([other] for other in others)]
        await channel.close()

    run(main())


def test_what_is_no_interceptor_is_refused() -> None:
    class Other:
        def __repr__(self) -> str:
            return "<other>"

    async def main() -> None:
        with pytest.raises(ValueError, match="must be") as caught:
            aio.insecure_channel("127.0.0.1:1", interceptors=[Other()])
        assert str(caught.value) == (
            "Interceptor <other> must be UnaryUnaryClientInterceptor or UnaryStreamClientInterceptor "
            "or StreamUnaryClientInterceptor or StreamStreamClientInterceptor. "
        )

    run(main())


def test_interceptors_may_be_appended_to_a_channel_later() -> None:
    seen = []

    def noting(name: str) -> Any:
        async def body(continuation: Any, details: Any, request: Any) -> Any:
            seen.append(name)
            return await continuation(details, request)

        return interceptor(body, UNARY_UNARY)

    async def main() -> None:
        async with calling(echo) as before:
            # The channel, as google-api-core finds it.
            interceptors = before._interceptors
            assert await before(b"1") == b"1"
            interceptors.append(noting("first"))
            assert await before(b"2") == b"2"
            interceptors.append(noting("second"))
            assert await before(b"3") == b"3"
            assert seen == ["first", "first", "second"]

    run(main())


def test_appending_counts_for_multi_callables_made_before_and_after(peer: Peer) -> None:
    seen = []

    async def body(continuation: Any, details: Any, request: Any) -> Any:
        seen.append(request)
        return await continuation(details, request)

    async def main() -> None:
        async with peer.channel() as channel:
            before = UNARY_UNARY.method(channel, "echo")
            channel._unary_unary_interceptors.append(interceptor(body, UNARY_UNARY))
            await before(b"before")
            await UNARY_UNARY.method(channel, "echo")(b"after")
            assert seen == [b"before", b"after"]

    run(main())


# ---- going on several times, or not


def test_an_interceptor_may_try_again(arity: Arity, peer: Peer) -> None:
    attempts = []

    async def body(continuation: Any, details: Any, request: Any) -> Any:
        if arity.streams_requests:
            request = await anext(request)
        for behavior in ("fail", "fail", "echo"):
            method = f"/intercept.Service/{arity.name}_{behavior}".encode()
            again = [request] if arity.streams_requests else request
            call = await continuation(details._replace(method=method), again)
            if arity.streams_responses:
                responses = []
                try:
                    async for response in call:
                        responses.append(response)
                except grpc.aio.AioRpcError:
                    pass
            attempts.append(await call.code())
            if attempts[-1] is grpc.StatusCode.OK:
                break
        return call if not arity.streams_responses else _again(responses)

    async def main() -> None:
        async with peer.channel(interceptor(body, arity)) as channel:
            call = arity.method(channel, "echo")(b"1")
            assert await arity.outcome(call) == b"1"
            assert await call.code() is grpc.StatusCode.OK
            assert attempts == [grpc.StatusCode.NOT_FOUND] * 2 + [grpc.StatusCode.OK]

    run(main())


async def _again(responses: list[bytes]) -> Any:
    for response in responses:
        yield response


def test_an_interceptor_around_another_gets_calls_only(peer: Peer) -> None:
    seen: list[Any] = []

    async def outer(continuation: Any, details: Any, request: Any) -> Any:
        call = await continuation(details, request)
        seen.extend([isinstance(call, grpc.aio.UnaryUnaryCall), await call.code(), await call])
        return call

    async def inner(continuation: Any, details: Any, request: Any) -> Any:
        return b"made up"

    async def main() -> None:
        async with peer.channel(interceptor(outer, UNARY_UNARY), interceptor(inner, UNARY_UNARY)) as channel:
            call = UNARY_UNARY.method(channel, "hang")(b"1")
            assert await call == b"made up"
            assert seen == [True, grpc.StatusCode.OK, b"made up"]

    run(main())


def test_a_call_with_interceptors_is_an_intercepted_call(arity: Arity, peer: Peer) -> None:
    async def main() -> None:
        async with peer.channel(interceptor(passing, arity)) as channel:
            call = arity.method(channel, "echo")(b"1")
            camel = arity.name.title().replace("_", "")
            assert isinstance(call, getattr(grpc.aio, f"{camel}Call"))
            assert isinstance(call, grpc.aio.InterceptedUnaryUnaryCall) is (arity is UNARY_UNARY)
            assert await arity.outcome(call) == b"1"

    run(main())


def test_without_interceptors_calls_are_plain(peer: Peer) -> None:
    async def main() -> None:
        async with peer.channel() as channel:
            call = UNARY_UNARY.method(channel, "echo")(b"1")
            assert not isinstance(call, grpc.aio.InterceptedUnaryUnaryCall)
            assert await call == b"1"
            assert "Intercepted" not in type(call).__name__

    run(main())
