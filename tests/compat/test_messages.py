# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Messages on the wire: their sizes and limits, and their compression."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from rig import ARITIES, arities, echo_of, failure_of, handler, looped, result_of, tapped, wired
from support import aio

SMALL = (("grpc.max_receive_message_length", 1000),)
UNLIMITED = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
GZIP, DEFLATE, NONE = (
    grpc.Compression.Gzip,
    grpc.Compression.Deflate,
    grpc.Compression.NoCompression,
)
TEXT = b"compressible " * 200

# asyncio's own servers and connections resolve their addresses in libuv's pool.
pytestmark = pytest.mark.pool_threads


# ---- sizes


@arities
@pytest.mark.parametrize("size", [0, 1, 5, 16_384, 65_536, 4_000_000])
@looped
async def test_messages_of_all_sizes_arrive(arity: str, size: int) -> None:
    message = bytes(range(256)) * (size // 256) + bytes(size % 256)
    async with wired(echo_of(arity)) as wire:
        assert await result_of(wire(message)) == message


@arities
@looped
async def test_a_message_of_many_megabytes_arrives_when_limits_allow_it(arity: str) -> None:
    message = bytes(1024) * 20_000
    async with wired(echo_of(arity), server_options={"options": UNLIMITED}, options=UNLIMITED) as wire:
        assert await result_of(wire(message)) == message


@arities
@looped
async def test_a_response_beyond_the_default_limit_is_refused(arity: str) -> None:
    async with wired(echo_of(arity), server_options={"options": UNLIMITED}) as wire:
        error = await failure_of(wire(bytes(4 * 1024 * 1024 + 1)))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "Received message larger than max (4194305 vs. 4194304)" in error.details()


@arities
@looped
async def test_a_request_beyond_the_servers_limit_is_refused(arity: str) -> None:
    async with wired(echo_of(arity), server_options={"options": SMALL}) as wire:
        assert await result_of(wire(bytes(1000))) == bytes(1000)
        error = await failure_of(wire(bytes(1001)))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.stock_defect("a write that fails replaces the server's status by INTERNAL", strict=False)
@arities
@looped
async def test_a_request_beyond_the_clients_limit_is_not_sent(arity: str) -> None:
    options = (("grpc.max_send_message_length", 1000),)
    async with wired(echo_of(arity), options=options) as wire:
        assert await result_of(wire(bytes(1000))) == bytes(1000)
        error = await failure_of(wire(bytes(1001)))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@arities
@looped
async def test_a_response_beyond_the_servers_limit_is_not_sent(arity: str) -> None:
    options = {"options": (("grpc.max_send_message_length", 1000),)}
    async with wired(echo_of(arity), server_options=options) as wire:
        assert await result_of(wire(bytes(1000))) == bytes(1000)
        error = await failure_of(wire(bytes(1001)))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


# ---- compression


@arities
@pytest.mark.parametrize("compression", [GZIP, DEFLATE, NONE])
@looped
async def test_a_channel_compresses_its_messages(arity: str, compression: Any) -> None:
    async with wired(echo_of(arity)) as wire, tapped(wire.port) as tap:
        async with aio.insecure_channel(f"127.0.0.1:{tap.port}", compression=compression) as channel:
            method = wire.method(channel=channel)
            assert await result_of(method([TEXT] if arity.startswith("stream") else TEXT)) == TEXT
        assert tap.sent_flags() == [0 if compression is NONE else 1]


@arities
@pytest.mark.parametrize("compression", [GZIP, DEFLATE])
@looped
async def test_a_call_compresses_its_messages(arity: str, compression: Any) -> None:
    async with wired(echo_of(arity)) as wire, tapped(wire.port) as tap:
        async with aio.insecure_channel(f"127.0.0.1:{tap.port}") as channel:
            method = wire.method(channel=channel)
            request = [TEXT] if arity.startswith("stream") else TEXT
            assert await result_of(method(request)) == TEXT
            assert await result_of(method(request, compression=compression)) == TEXT
        assert tap.sent_flags() == [0, 1]
        assert tap.received_flags() == [0, 0]


@arities
@looped
async def test_no_compression_for_a_call_is_no_wish_and_the_channels_stays(arity: str) -> None:
    async with wired(echo_of(arity)) as wire, tapped(wire.port) as tap:
        async with aio.insecure_channel(f"127.0.0.1:{tap.port}", compression=GZIP) as channel:
            method = wire.method(channel=channel)
            request = [TEXT] if arity.startswith("stream") else TEXT
            # The value of NoCompression is 0, so that grpc.aio takes it for no wish at all.
            assert await result_of(method(request, compression=NONE)) == TEXT
        assert tap.sent_flags() == [1]


@arities
@pytest.mark.parametrize("compression", [GZIP, DEFLATE, NONE])
@looped
async def test_a_server_compresses_its_messages(arity: str, compression: Any) -> None:
    options = {"compression": compression}
    async with wired(echo_of(arity), server_options=options) as wire, tapped(wire.port) as tap:
        async with aio.insecure_channel(f"127.0.0.1:{tap.port}") as channel:
            method = wire.method(channel=channel)
            assert await result_of(method([TEXT] if arity.startswith("stream") else TEXT)) == TEXT
        assert tap.received_flags() == [0 if compression is NONE else 1]


def setting(arity: str, prepare: Any, count: int = 1) -> Any:
    """Calls prepare(context, number) before each message, and then sends TEXT."""

    async def single(request: Any, context: Any) -> bytes:
        prepare(context, 0)
        return TEXT

    async def many(request: Any, context: Any) -> Any:
        for number in range(count):
            prepare(context, number)
            yield TEXT

    return handler(arity, single if arity.endswith("unary") else many)


_IGNORED = pytest.mark.stock_defect("set_compression() does nothing for a single response")


@pytest.mark.parametrize(
    "arity",
    [pytest.param(one, marks=_IGNORED) if one.endswith("unary") else one for one in ARITIES],
)
@looped
async def test_a_handler_sets_the_compression_of_its_messages(arity: str) -> None:
    method = setting(arity, lambda context, _: context.set_compression(GZIP))
    async with wired(method) as wire, tapped(wire.port) as tap:
        async with aio.insecure_channel(f"127.0.0.1:{tap.port}") as channel:
            call = wire.method(channel=channel)([] if arity.startswith("stream") else b"")
            assert await result_of(call) == TEXT
        assert tap.received_flags() == [1]


@looped
async def test_a_handler_may_leave_single_messages_uncompressed() -> None:
    def prepare(context: Any, number: int) -> None:
        if number in (1, 2):
            context.disable_next_message_compression()

    method = setting("unary_stream", prepare, count=4)
    options = {"compression": GZIP}
    async with wired(method, server_options=options) as wire, tapped(wire.port) as tap:
        async with aio.insecure_channel(f"127.0.0.1:{tap.port}") as channel:
            assert await result_of(wire.method(channel=channel)(b"")) == TEXT * 4
        assert tap.received_flags() == [1, 0, 0, 1]


@arities
@looped
async def test_compression_cannot_be_set_after_the_initial_metadata(arity: str) -> None:
    texts: list[str] = []

    async def behavior(request: Any, context: Any) -> bytes:
        await context.send_initial_metadata(())
        try:
            context.set_compression(GZIP)
        except RuntimeError as error:
            texts.append(str(error))
        return b""

    async def stream(request: Any, context: Any) -> Any:
        yield await behavior(request, context)

    method = handler(arity, behavior if arity.endswith("unary") else stream)
    async with wired(method) as wire:
        await result_of(wire())
    assert texts == ["Compression setting must be specified before sending initial metadata"]


@looped
async def test_both_sides_may_compress_differently() -> None:
    options = {"compression": DEFLATE}
    async with wired(echo_of("unary_unary"), server_options=options) as wire, tapped(wire.port) as tap:
        async with aio.insecure_channel(f"127.0.0.1:{tap.port}", compression=GZIP) as channel:
            assert await wire.method(channel=channel)(TEXT) == TEXT
        assert tap.sent_flags() == [1]
        assert tap.received_flags() == [1]
