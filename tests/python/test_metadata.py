# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Metadata, in both directions."""

from __future__ import annotations

import time
from typing import Any

import grpc
import pytest
from support import aio, calling, echo, error_of, in_time, run, service, serving

PAIRS = (("x-text", "value"), ("x-twice", "a"), ("x-twice", "b"), ("x-data-bin", b"\x00\x01\xfe\xff"))


def own(metadata: Any) -> list[tuple[str, Any]]:
    """The entries that the tests sent."""
    return [(key, value) for key, value in metadata if key.startswith("x-")]


async def reflect(request: bytes, context: Any) -> bytes:
    pairs = tuple(own(context.invocation_metadata()))
    await context.send_initial_metadata(pairs)
    context.set_trailing_metadata(pairs)
    return b""


@pytest.mark.parametrize(
    "metadata",
    [
        PAIRS,
        list(PAIRS),
        aio.Metadata(*PAIRS),
    ],
    ids=["tuple", "list", "Metadata"],
)
def test_metadata_goes_both_ways(metadata: Any) -> None:
    async def main() -> None:
        async with calling(reflect) as method:
            call = method(b"", metadata=metadata)
            initial = await call.initial_metadata()
            trailing = await call.trailing_metadata()
            assert isinstance(initial, aio.Metadata)
            assert isinstance(trailing, aio.Metadata)
            assert sorted(own(initial)) == sorted(PAIRS)
            assert sorted(own(trailing)) == sorted(PAIRS)
            assert initial.get_all("x-twice") == ["a", "b"]
            assert await call.code() is grpc.StatusCode.OK

    run(main())


def test_metadata_against_a_stock_server(stock_port: int) -> None:
    async def main() -> None:
        async with aio.insecure_channel(f"127.0.0.1:{stock_port}") as channel:
            call = channel.unary_unary("/peer.Service/Metadata")(b"", metadata=PAIRS)
            assert sorted(own(await call.initial_metadata())) == sorted(PAIRS)
            assert sorted(own(await call.trailing_metadata())) == sorted(PAIRS)

    run(main())


def test_invocation_metadata_is_a_tuple_of_named_pairs() -> None:
    async def main() -> None:
        seen: list[Any] = []

        async def handler(request: bytes, context: Any) -> bytes:
            seen.append(context.invocation_metadata())
            return b""

        async with calling(handler) as method:
            await method(b"", metadata=(("x-text", "value"),))
        (metadata,) = seen
        assert isinstance(metadata, tuple)
        (entry,) = [entry for entry in metadata if entry.key == "x-text"]
        assert entry == ("x-text", "value")
        assert entry.value == "value"
        assert dict(metadata)["user-agent"].startswith("grpc-python")
        assert not any(key.startswith(":") for key, _ in metadata)

    run(main())


def test_no_metadata_is_empty_metadata() -> None:
    async def main() -> None:
        async with calling(echo) as method:
            for metadata in (None, (), [], aio.Metadata()):
                call = method(b"", metadata=metadata)
                assert own(await call.initial_metadata()) == []
                assert own(await call.trailing_metadata()) == []

    run(main())


@pytest.mark.parametrize("size", [0, 1, 2, 3, 1000])
def test_binary_metadata_of_any_length(size: int) -> None:
    async def main() -> None:
        data = bytes(range(256)) * 4
        async with calling(reflect) as method:
            call = method(b"", metadata=(("x-data-bin", data[:size]),))
            assert own(await call.trailing_metadata()) == [("x-data-bin", data[:size])]

    run(main())


def test_text_as_bytes_is_accepted() -> None:
    async def main() -> None:
        async with calling(reflect) as method:
            call = method(b"", metadata=((b"x-key", b"value"),))
            assert own(await call.trailing_metadata()) == [("x-key", "value")]

    run(main())


async def _read_frame(reader: Any) -> tuple[int, int, int]:
    head = await reader.readexactly(9)
    await reader.readexactly(int.from_bytes(head[:3], "big"))
    return head[3], head[4], int.from_bytes(head[5:9], "big")


def test_latin_1_from_the_wire_reaches_the_handler() -> None:
    """A value that is not UTF-8, as only a client that is not gRPC's would send."""
    import asyncio

    def field(name: bytes, value: bytes) -> bytes:
        return b"\x00" + bytes((len(name),)) + name + bytes((len(value),)) + value

    def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
        head = len(payload).to_bytes(3, "big") + bytes((kind, flags))
        return head + stream.to_bytes(4, "big") + payload

    async def main() -> None:
        seen: list[Any] = []

        async def handler(request: bytes, context: Any) -> bytes:
            seen.extend(own(context.invocation_metadata()))
            return b""

        async with serving(service(Method=handler)) as running:
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            headers = b"".join(
                field(*pair)
                for pair in (
                    (b":method", b"POST"),
                    (b":scheme", b"http"),
                    (b":path", b"/test.Service/Method"),
                    (b":authority", b"test"),
                    (b"content-type", b"application/grpc"),
                    (b"te", b"trailers"),
                    (b"x-name", b"J\xfcrgen"),
                )
            )
            writer.write(
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                + frame(4, 0, 0, b"")
                + frame(1, 4, 1, headers)
                + frame(0, 1, 1, bytes(5))
            )
            while (await _read_frame(reader))[2] != 1:
                pass
            writer.close()
            await writer.wait_closed()
        assert seen == [("x-name", "Jürgen")]

    run(main())


@pytest.mark.parametrize(
    "metadata",
    [
        (("x-key",),),
        (("x-key", "a", "b"),),
        ("x-key",),
        (("x-key", 1),),
        pytest.param((("x-key", None),), marks=pytest.mark.uvgrpc_only),
        (("x-data-bin", "text"),),
        ((1, "value"),),
        42,
    ],
    ids=repr,
)
def test_metadata_of_a_bad_type_is_a_type_error(metadata: Any) -> None:
    async def main() -> None:
        async with calling(echo) as method:
            with pytest.raises((TypeError, ValueError)):
                await method(b"", metadata=metadata)
            assert await method(b"x") == b"x"

    run(main())


REFUSED = [(("X-Upper", "value"),), (("x-key", "line\nbreak"),), (("x key", "value"),)]


# Core writes a line about each of them.
@pytest.mark.writes_stderr
@pytest.mark.parametrize("metadata", REFUSED, ids=repr)
def test_metadata_that_core_refuses_fails_the_call(metadata: Any) -> None:
    async def main() -> None:
        async with calling(echo) as method:
            started = time.monotonic()
            with pytest.raises((aio.AioRpcError, aio.InternalError)):
                await method(b"", metadata=metadata, timeout=30)
            in_time(started, 5)
            assert await method(b"x") == b"x"

    run(main())


@pytest.mark.writes_stderr
@pytest.mark.parametrize("metadata", REFUSED, ids=repr)
@pytest.mark.parametrize("where", ["initial", "trailing"])
def test_metadata_of_a_handler_that_core_refuses_fails_the_call(where: str, metadata: Any) -> None:
    async def handler(request: bytes, context: Any) -> bytes:
        if request == b"good":
            return request
        if where == "initial":
            await context.send_initial_metadata(metadata)
        else:
            context.set_trailing_metadata(metadata)
        return b""

    async def main() -> None:
        async with calling(handler) as method:
            started = time.monotonic()
            error = await error_of(method(b"bad", timeout=30))
            in_time(started, 5)
            assert error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED
            assert await method(b"good") == b"good"

    run(main())


@pytest.mark.uvgrpc_only
def test_invalid_trailing_metadata_is_a_type_error_in_the_handler() -> None:
    async def main() -> None:
        errors: list[str] = []

        async def handler(request: bytes, context: Any) -> bytes:
            for metadata in ({"x-key": "value"}, (["x-key", "value"],), ("x-key",)):
                try:
                    context.set_trailing_metadata(metadata)
                except TypeError as error:
                    errors.append(str(error))
            return b""

        async with calling(handler) as method:
            await method(b"")
        assert len(errors) == 3
        assert all("trailing metadata" in error for error in errors)

    run(main())


def test_large_metadata_arrives_and_too_large_metadata_fails_the_call() -> None:
    async def main() -> None:
        async with calling(reflect) as method:
            call = method(b"", metadata=(("x-large", "a" * 4000),))
            assert own(await call.trailing_metadata()) == [("x-large", "a" * 4000)]
            error = await error_of(method(b"", metadata=(("x-large", "a" * 1_000_000),)))
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert await method(b"") == b""

    run(main())


def test_details_that_are_not_ascii_arrive() -> None:
    text = "naïve: 100 %, 日本, \U0001f600"

    async def handler(request: bytes, context: Any) -> bytes:
        await context.abort(grpc.StatusCode.INTERNAL, text)
        return b""

    async def main() -> None:
        async with calling(handler) as method:
            assert (await error_of(method(b""))).details() == text

    run(main())
