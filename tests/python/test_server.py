# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Servers: handlers, limits, and clients of other kinds."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from peers.service import Service
from support import (
    aio,
    calling,
    echo,
    error_of,
    run,
    service,
    serving,
    stock_client,
    unary,
    until,
)

# ---- handlers


def test_generic_handlers_are_asked_in_order() -> None:
    class Named(grpc.GenericRpcHandler):
        def __init__(self, name: str, path: str) -> None:
            self.name = name
            self.path = path
            self.asked: list[tuple[type, str]] = []

        def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
            self.asked.append((type(details.method), details.method))
            assert ("x-key", "value") in details.invocation_metadata
            if details.method != self.path:
                return None

            async def answer(request: bytes, context: Any) -> bytes:
                return self.name.encode()

            return unary(answer)

    async def main() -> None:
        first, second = Named("first", "/a/A"), Named("second", "/b/B")
        async with (
            serving(first, second) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            for path, expected in (("/a/A", b"first"), ("/b/B", b"second")):
                call = channel.unary_unary(path)(b"", metadata=(("x-key", "value"),))
                assert await call == expected
        assert first.asked == [(str, "/a/A"), (str, "/b/B")]
        assert second.asked == [(str, "/b/B")]

    run(main())


def test_registered_handlers_win_over_generic_ones() -> None:
    async def answer(request: bytes, context: Any) -> bytes:
        return b"registered"

    async def main() -> None:
        server = aio.server()
        server.add_generic_rpc_handlers((service(Method=echo, Other=echo),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.add_registered_method_handlers("test.Service", {"Method": unary(answer)})
        await server.start()
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            assert await channel.unary_unary("/test.Service/Method")(b"generic") == b"registered"
            assert await channel.unary_unary("/test.Service/Other")(b"generic") == b"generic"
        await server.stop(None)

    run(main())


def test_generic_handlers_may_be_given_to_the_factory_and_added_while_serving() -> None:
    async def main() -> None:
        server = aio.server(handlers=[service(First=echo)])
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        server.add_generic_rpc_handlers((service(Second=echo),))
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            assert await channel.unary_unary("/test.Service/First")(b"1") == b"1"
            assert await channel.unary_unary("/test.Service/Second")(b"2") == b"2"
        await server.stop(None)

    run(main())


@pytest.mark.uvgrpc_only
def test_an_object_that_is_no_generic_handler_is_refused() -> None:
    async def main() -> None:
        server = aio.server()
        with pytest.raises(AttributeError, match=r"must conform to grpc\.GenericRpcHandler"):
            server.add_generic_rpc_handlers((object(),))
        await server.stop(None)

    run(main())


@pytest.mark.parametrize("generic", [(), (service(Method=echo),)], ids=["no handler", "others"])
def test_an_unknown_method_is_unimplemented(generic: Any) -> None:
    async def main() -> None:
        async with (
            serving(*generic) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            error = await error_of(channel.unary_unary("/test.Service/Nothing")(b""))
            assert error.code() is grpc.StatusCode.UNIMPLEMENTED
            assert error.details() == "Method not found!"

    run(main())


def test_a_generic_handler_that_raises_fails_the_call() -> None:
    class Broken(grpc.GenericRpcHandler):
        def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
            raise ValueError("no idea")

    async def main() -> None:
        async with (
            serving(Broken()) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            error = await error_of(channel.unary_unary("/a/A")(b"", timeout=3))
            assert error.code() is grpc.StatusCode.UNKNOWN
            assert error.details() == "Unexpected <class 'ValueError'>: no idea"

    run(main())


def test_codecs_of_the_handler_are_used() -> None:
    async def double(request: int, context: Any) -> int:
        return 2 * request

    handler = unary(
        double,
        request_deserializer=lambda data: int(data),
        response_serializer=lambda value: str(value).encode(),
    )

    async def main() -> None:
        async with calling(handler) as call:
            assert await call(b"21") == b"42"

    run(main())


# ---- stock clients


@pytest.mark.parametrize("kind", ["aio", "sync"])
def test_a_stock_client_sees_what_grpc_aio_would_show(kind: str) -> None:
    async def main() -> Any:
        async with serving(Service().handler()) as running:
            return await stock_client(kind, running.target, "everything")

    seen = run(main())
    codes = {name: outcome["code"] for name, outcome in seen.items()}
    failures = {name: code for name, code in codes.items() if code != "OK"}
    assert failures == {
        "status": "NOT_FOUND",
        "abort": "NOT_FOUND",
        "raise": "UNKNOWN",
        "unknown": "UNIMPLEMENTED",
        "deadline": "DEADLINE_EXCEEDED",
        "too_big": "RESOURCE_EXHAUSTED",
    }
    assert seen["echo"]["response"] == "hello"
    assert seen["empty"]["response"] == ""
    pairs = [["x-text", "a"], ["x-text", "b"], ["x-data-bin", [0, 255]]]
    assert sorted(seen["metadata"]["initial"]) == sorted(pairs)
    assert sorted(seen["metadata"]["trailing"]) == sorted(pairs)
    assert seen["status"]["details"] == seen["abort"]["details"] == "n\u00f6 such thing"
    assert seen["status"]["trailing"] == [["x-trailing", "yes"]]
    assert seen["abort"]["trailing"] == [["x-trailing", "abort"]]
    assert seen["raise"]["details"] == "Unexpected <class 'ValueError'>: the message"
    assert seen["unknown"]["details"] == "Method not found!"
    assert 0.1 <= seen["deadline"]["seconds"] < 5
    assert 50 < float(seen["time_left"]["response"]) <= 61
    assert seen["big_request"]["response"] == "3000000"
    assert seen["big_response"]["response"] == 3_000_000
    assert "larger than max" in seen["too_big"]["details"]
    assert seen["gzip"]["response"] == "100000"
    assert seen["peer"]["response"].startswith("ipv4:127.0.0.1:")


@pytest.mark.parametrize("kind", ["aio", "sync"])
def test_many_calls_of_a_stock_client_are_answered(kind: str) -> None:
    async def main() -> Any:
        async with serving(Service().handler()) as running:
            return await stock_client(kind, running.target, "many")

    assert run(main()) == [str(i) for i in range(500)]


# ---- limits


@pytest.mark.parametrize("registered", [True, False])
def test_calls_beyond_maximum_concurrent_rpcs_are_refused(registered: bool) -> None:
    async def main() -> None:
        finish = asyncio.Event()
        entered: list[bytes] = []

        async def handler(request: bytes, context: Any) -> bytes:
            entered.append(request)
            await finish.wait()
            return request

        server = aio.server(maximum_concurrent_rpcs=2)
        if registered:
            server.add_registered_method_handlers("test.Service", {"Method": unary(handler)})
        else:
            server.add_generic_rpc_handlers((service(Method=handler),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            method = channel.unary_unary("/test.Service/Method")
            allowed = [method(b"1"), method(b"2")]
            await until(lambda: len(entered) == 2)
            error = await error_of(method(b"3"))
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert error.details() == "Concurrent RPC limit exceeded!"
            error = await error_of(channel.unary_unary("/test.Service/Nothing")(b""))
            assert error.code() is grpc.StatusCode.UNIMPLEMENTED
            finish.set()
            assert [await call for call in allowed] == [b"1", b"2"]
            # Once they are over there is room again.
            for _ in range(5):
                assert await method(b"4") == b"4"
        await server.stop(None)

    run(main())


@pytest.mark.parametrize("limit", [0, -1])
def test_maximum_concurrent_rpcs_must_be_positive(limit: int) -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="maximum_concurrent_rpcs"):
            aio.server(maximum_concurrent_rpcs=limit)

    run(main())


# ---- bad clients


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    head = len(payload).to_bytes(3, "big") + bytes((kind, flags))
    return head + stream.to_bytes(4, "big") + payload


def _header(name: bytes, value: bytes) -> bytes:
    """A header field in HPACK, literal and not indexed."""
    return b"\x00" + bytes((len(name),)) + name + bytes((len(value),)) + value


async def _raw_call(port: int, path: bytes) -> set[int]:
    """Makes a call by hand; gives the kinds of frames that answer it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    headers = b"".join(
        _header(*field)
        for field in (
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":path", path),
            (b":authority", b"test"),
            (b"content-type", b"application/grpc"),
            (b"te", b"trailers"),
        )
    )
    writer.write(
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        + _frame(4, 0, 0, b"")  # SETTINGS
        + _frame(1, 4, 1, headers)  # HEADERS, END_HEADERS
        + _frame(0, 1, 1, bytes(5))  # DATA, END_STREAM: an empty message
    )
    kinds: set[int] = set()
    while not kinds:
        head = await reader.readexactly(9)
        await reader.readexactly(int.from_bytes(head[:3], "big"))
        if int.from_bytes(head[5:9], "big") == 1:
            kinds.add(head[3])
    writer.close()
    await writer.wait_closed()
    return kinds


def test_the_hand_made_client_gets_an_answer() -> None:
    async def main() -> None:
        async with serving(service(Method=echo)) as running:
            assert await _raw_call(running.port, b"/test.Service/Method") == {1}

    run(main())


@pytest.mark.stock_defect("a path that is not UTF-8 shuts the whole server down")
def test_a_path_that_is_not_utf8_fails_one_call_only() -> None:
    async def main() -> None:
        async with (
            serving(service(Method=echo)) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            # HEADERS with a status, or RST_STREAM.
            assert await _raw_call(running.port, b"/test.Service/\xff\xfe") <= {1, 3}
            assert await channel.unary_unary("/test.Service/Method")(b"x", timeout=2) == b"x"

    run(main())


def test_garbage_on_a_connection_harms_nobody_else() -> None:
    async def main() -> None:
        async with (
            serving(service(Method=echo)) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(b"GET / HTTP/1.1\r\n\r\n" + bytes(1000))
            while await reader.read(4096):
                pass
            writer.close()
            assert await channel.unary_unary("/test.Service/Method")(b"x", timeout=5) == b"x"

    run(main())
