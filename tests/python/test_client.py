# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Calls: their outcome, deadlines, messages and arguments."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from typing import Any

import grpc
import pytest
from calling_peers import method
from calling_peers import peer as peer
from peers.service import Service
from support import aio, calling, echo, error_of, in_time, run, service, serving, until

# ---- the outcome of a call


def test_await_gives_the_response_as_often_as_wanted(peer: Any) -> None:
    async def main() -> None:
        async with peer() as channel:
            call = method(channel, "Echo")(b"hello")
            assert isinstance(call, aio.UnaryUnaryCall)
            assert not call.done()
            assert [await call, await call] == [b"hello", b"hello"]
            assert call.done()
            assert not call.cancelled()
            assert await call.code() is grpc.StatusCode.OK
            assert await call.details() == ""
            assert await call.debug_error_string() in ("", None)
            assert await call == b"hello"

    run(main())


def test_a_failure_is_raised_as_often_as_it_is_awaited(peer: Any) -> None:
    async def main() -> None:
        async with peer() as channel:
            call = method(channel, "Status")(b'{"code": "NOT_FOUND", "details": "where?"}')
            for _ in range(2):
                with pytest.raises(aio.AioRpcError) as caught:
                    await call
                error = caught.value
                assert isinstance(error, grpc.RpcError)
                assert error.code() is grpc.StatusCode.NOT_FOUND
                assert error.details() == "where?"
                assert ("x-trailing", "yes") in tuple(error.trailing_metadata())
                assert isinstance(error.trailing_metadata(), aio.Metadata)
                assert "where?" in error.debug_error_string()
            assert await call.code() is grpc.StatusCode.NOT_FOUND
            assert await call.details() == "where?"
            assert (await call.trailing_metadata())["x-trailing"] == "yes"
            assert call.done()
            assert not call.cancelled()

    run(main())


def test_accessors_wait_for_the_outcome_and_never_raise(peer: Any) -> None:
    async def main() -> None:
        async with peer() as channel:
            call = method(channel, "Abort")(b'{"code": "DATA_LOSS", "details": "gone"}')
            code, details, trailing, initial = await asyncio.gather(
                call.code(), call.details(), call.trailing_metadata(), call.initial_metadata()
            )
            assert (code, details) == (grpc.StatusCode.DATA_LOSS, "gone")
            assert trailing["x-trailing"] == "abort"
            assert isinstance(initial, aio.Metadata)

    run(main())


def test_calls_start_without_being_awaited() -> None:
    async def main() -> None:
        seen: list[bytes] = []

        async def handler(request: bytes, context: Any) -> bytes:
            seen.append(request)
            return b""

        async with calling(handler) as call:
            kept = [call(b"1"), call(b"2")]
            await until(lambda: sorted(seen) == [b"1", b"2"])
            await until(lambda: all(one.done() for one in kept))

    run(main())


def test_a_failure_that_nobody_awaits_is_not_logged(peer: Any) -> None:
    async def main() -> None:
        async with peer() as channel:
            call = method(channel, "Raise")(b"unseen")
            await until(call.done)
            del call
            gc.collect()
            await asyncio.sleep(0.01)

    run(main())


def test_many_calls_at_once_keep_their_responses(peer: Any) -> None:
    async def main() -> None:
        async with peer() as channel:
            calls = [method(channel, "Echo")(str(i).encode()) for i in range(300)]
            assert await asyncio.gather(*calls) == [str(i).encode() for i in range(300)]

    run(main())


def test_codecs_of_the_multi_callable_are_used(peer: Any) -> None:
    async def main() -> None:
        async with peer() as channel:
            call = channel.unary_unary(
                "/peer.Service/Length",
                request_serializer=str.encode,
                response_deserializer=int,
            )
            assert await call("12345") == 5

    run(main())


def test_repr_of_a_call_tells_its_status(peer: Any) -> None:
    async def main() -> None:
        async with peer() as channel:
            call = method(channel, "Status")(b'{"code": "NOT_FOUND", "details": "where?"}')
            assert "Call object>" in repr(call)
            await call.code()
            assert "StatusCode.NOT_FOUND" in repr(call)
            assert "where?" in str(call)

    run(main())


# ---- deadlines


def test_a_timeout_ends_the_call_and_the_handler() -> None:
    async def main() -> None:
        events: list[Any] = []

        async def handler(request: bytes, context: Any) -> bytes:
            events.append(context.time_remaining())
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                events.append("cancelled")
                raise
            return b""

        async with calling(handler) as call:
            started = time.monotonic()
            running = call(b"", timeout=0.2)
            assert 0 < running.time_remaining() <= 0.2
            error = await error_of(running)
            assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            assert error.details() == "Deadline Exceeded"
            assert 0.19 <= time.monotonic() - started < 5
            assert running.time_remaining() == 0
            assert not running.cancelled()
            await until(lambda: len(events) == 2)
            # The wire rounds up.
            assert 0 < events[0] <= 0.21
            assert events[1] == "cancelled"

    run(main())


def test_a_timeout_ends_a_call_to_a_stock_server(stock_port: int) -> None:
    async def main() -> None:
        async with aio.insecure_channel(f"127.0.0.1:{stock_port}") as channel:
            started = time.monotonic()
            error = await error_of(method(channel, "Sleep")(b"30", timeout=0.2))
            assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            assert 0.19 <= time.monotonic() - started < 5

    run(main())


@pytest.mark.parametrize("timeout", [0, -1])
def test_a_timeout_that_is_over_fails_at_once(peer: Any, timeout: float) -> None:
    async def main() -> None:
        async with peer() as channel:
            started = time.monotonic()
            call = method(channel, "Hang")(b"", timeout=timeout)
            assert call.time_remaining() == 0
            assert (await error_of(call)).code() is grpc.StatusCode.DEADLINE_EXCEEDED
            in_time(started, 5)

    run(main())


def test_time_remaining_is_none_without_a_deadline(peer: Any) -> None:
    async def main() -> None:
        async with peer() as channel:
            call = method(channel, "Deadline")(b"")
            assert call.time_remaining() is None
            assert await call == b"null"
            left = float(await method(channel, "Deadline")(b"", timeout=100))
            # The wire rounds up.
            assert 60 < left <= 102

    run(main())


# ---- done callbacks


def test_done_callbacks_get_the_call(peer: Any) -> None:
    async def main() -> None:
        async with peer() as channel:
            seen: list[Any] = []
            call = method(channel, "Echo")(b"x")
            call.add_done_callback(lambda done: seen.append((done, done.done())))
            call.add_done_callback(lambda done: seen.append((done, done.done())))
            await call
            await until(lambda: len(seen) == 2)
            assert seen == [(call, True), (call, True)]
            # When it is done already, soon.
            call.add_done_callback(seen.append)
            await until(lambda: len(seen) == 3)
            assert seen[2] is call

    run(main())


def test_done_callbacks_are_called_on_cancel(peer: Any) -> None:
    async def main() -> None:
        async with peer() as channel:
            seen: list[Any] = []
            call = method(channel, "Hang")(b"")
            call.add_done_callback(lambda done: seen.append(done.cancelled()))
            call.cancel()
            await until(lambda: seen)
            assert seen == [True]

    run(main())


# ---- messages


@pytest.mark.parametrize("size", [0, 1, 1000, 100_000, 3_000_000])
def test_messages_of_any_size_go_both_ways(peer: Any, size: int) -> None:
    async def main() -> None:
        async with peer() as channel:
            data = bytes(i % 251 for i in range(1000)) * (size // 1000 + 1)
            assert await method(channel, "Echo")(data[:size]) == data[:size]

    run(main())


@pytest.mark.parametrize("name", ["request", "response"])
def test_a_message_beyond_4_mb_is_refused(peer: Any, name: str) -> None:
    async def main() -> None:
        async with peer() as channel:
            size = 4 * 1024 * 1024 + 1
            if name == "request":
                call = method(channel, "Length")(bytes(size))
            else:
                call = method(channel, "Big")(str(size).encode())
            error = await error_of(call)
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "larger than max" in error.details()
            assert await method(channel, "Echo")(b"x") == b"x"

    run(main())


def test_the_limits_of_messages_can_be_raised(peer: Any) -> None:
    async def main() -> None:
        options = (("grpc.max_receive_message_length", -1),)
        async with peer(options=options) as channel:
            assert len(await method(channel, "Big")(b"10000000")) == 10_000_000
        async with (
            serving(Service().handler(), options=options) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            assert await method(channel, "Length")(bytes(10_000_000)) == b"10000000"

    run(main())


def test_the_limit_of_what_is_sent_can_be_set(peer: Any) -> None:
    async def main() -> None:
        async with peer(options=(("grpc.max_send_message_length", 1000),)) as channel:
            assert await method(channel, "Length")(bytes(1000)) == b"1000"
            error = await error_of(method(channel, "Length")(bytes(1001)))
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "larger than max" in error.details()

    run(main())


@pytest.mark.parametrize("algorithm", list(grpc.Compression))
@pytest.mark.parametrize("where", ["channel", "call"])
def test_compressed_messages_arrive(peer: Any, where: str, algorithm: grpc.Compression) -> None:
    async def main() -> None:
        data = b"compressible" * 10_000
        async with peer(compression=algorithm if where == "channel" else None) as channel:
            options = {"compression": algorithm} if where == "call" else {}
            assert await method(channel, "Echo")(data, **options) == data

    run(main())


# asyncio.start_server() looks its host up.
@pytest.mark.pool_threads
@pytest.mark.parametrize("where", ["channel", "call", "neither", "server"])
def test_compression_makes_less_go_over_the_wire(where: str) -> None:
    async def main() -> None:
        gzip = grpc.Compression.Gzip
        carried = [0, 0]

        async with serving(service(Method=echo), compression=gzip if where == "server" else None) as running:

            async def pump(index: int, reader: Any, writer: Any) -> None:
                with contextlib.suppress(ConnectionError):
                    while data := await reader.read(65536):
                        carried[index] += len(data)
                        writer.write(data)
                writer.close()

            async def forward(reader: Any, writer: Any) -> None:
                onward = await asyncio.open_connection("127.0.0.1", running.port)
                await asyncio.gather(pump(0, reader, onward[1]), pump(1, onward[0], writer))

            proxy = await asyncio.start_server(forward, "127.0.0.1", 0)
            port = proxy.sockets[0].getsockname()[1]
            async with aio.insecure_channel(
                f"127.0.0.1:{port}", compression=gzip if where == "channel" else None
            ) as channel:
                options = {"compression": gzip} if where == "call" else {}
                data = bytes(500_000)
                assert await channel.unary_unary("/test.Service/Method")(data, **options) == data
            proxy.close()
            await proxy.wait_closed()
            await asyncio.sleep(0.01)
        small_request, small_response = (count < 50_000 for count in carried)
        assert small_request == (where in ("channel", "call"))
        assert small_response == (where == "server")

    run(main())


# ---- arguments


def test_credentials_on_an_insecure_channel_are_a_usage_error() -> None:
    async def main() -> None:
        async with aio.insecure_channel("127.0.0.1:1") as channel:
            with pytest.raises(aio.UsageError, match="credentials are only valid on secure channels"):
                channel.unary_unary("/a/A")(b"", credentials=grpc.access_token_call_credentials("token"))

    run(main())


def test_multi_callables_are_instances_of_grpc_aios_classes() -> None:
    async def main() -> None:
        async with aio.insecure_channel("127.0.0.1:1") as channel:
            assert isinstance(channel, aio.Channel)
            assert isinstance(channel.unary_unary("/a/A"), aio.UnaryUnaryMultiCallable)
            assert isinstance(channel.unary_stream("/a/A"), aio.UnaryStreamMultiCallable)
            assert isinstance(channel.stream_unary("/a/A"), aio.StreamUnaryMultiCallable)
            assert isinstance(channel.stream_stream("/a/A"), aio.StreamStreamMultiCallable)

    run(main())


def test_a_channel_option_reaches_core() -> None:
    async def main() -> None:
        async def agent(request: bytes, context: Any) -> bytes:
            return dict(context.invocation_metadata())["user-agent"].encode()

        async with (
            serving(service(Method=agent)) as running,
            aio.insecure_channel(
                running.target,
                options=[("grpc.primary_user_agent", "before"), ("grpc.secondary_user_agent", b"after")],
            ) as channel,
        ):
            text = (await channel.unary_unary("/test.Service/Method")(b"")).decode()
            assert text.startswith("before ")
            assert text.endswith(" after")

    run(main())


def test_an_invalid_target_fails_the_call_and_not_the_program() -> None:
    async def main() -> None:
        async with aio.insecure_channel("nosuchscheme://whatever:///") as channel:
            error = await error_of(channel.unary_unary("/a/A")(b"", timeout=10))
            assert error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL)

    run(main())
