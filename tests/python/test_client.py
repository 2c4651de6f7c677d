# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Channels and the calls that are made on them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
from peers.service import Service
from support import aio, calling, echo, error_of, in_time, run, service, serving, until, unused_port

READY = grpc.ChannelConnectivity.READY
IDLE = grpc.ChannelConnectivity.IDLE


@pytest.fixture(params=["own", "stock"])
def peer(
    request: pytest.FixtureRequest, stock_port: int
) -> Callable[..., contextlib.AbstractAsyncContextManager[Any]]:
    """Gives a channel to peer.Service, served here or by grpc.aio in another process."""

    @contextlib.asynccontextmanager
    async def connect(**options: Any) -> AsyncIterator[Any]:
        if request.param == "stock":
            async with aio.insecure_channel(f"127.0.0.1:{stock_port}", **options) as channel:
                yield channel
            return
        async with (
            serving(Service().handler()) as running,
            aio.insecure_channel(running.target, **options) as channel,
        ):
            yield channel

    return connect


def method(channel: Any, name: str) -> Any:
    return channel.unary_unary(f"/peer.Service/{name}")


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


# ---- cancelling


def test_cancel_ends_the_call_once(peer: Any) -> None:
    async def main() -> None:
        async with peer() as channel:
            call = method(channel, "Hang")(b"")
            await channel.channel_ready()
            assert call.cancel() is True
            assert call.cancel() is False
            with pytest.raises(asyncio.CancelledError):
                await call
            assert call.cancelled()
            assert call.done()
            assert await call.code() is grpc.StatusCode.CANCELLED
            assert await call.details() == "Locally cancelled by application!"
            assert tuple(await call.initial_metadata()) == ()
            assert tuple(await call.trailing_metadata()) == ()

    run(main())


def test_cancel_reaches_the_server(peer: Any) -> None:
    async def main() -> None:
        async with peer() as channel:
            before = int(await method(channel, "Cancelled")(b""))
            calls = [method(channel, "Hang")(b"") for _ in range(5)]
            # Answered after the calls before it have arrived.
            await method(channel, "Sleep")(b"0.05")
            for call in calls:
                call.cancel()
            deadline = time.monotonic() + 10
            while int(await method(channel, "Cancelled")(b"")) < before + 5:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.01)

    run(main())


def test_cancel_in_the_turn_of_the_call_sends_nothing() -> None:
    async def main() -> None:
        seen: list[bytes] = []

        async def handler(request: bytes, context: Any) -> bytes:
            seen.append(request)
            return request

        async with calling(handler) as call:
            assert await call(b"1") == b"1"
            stillborn = call(b"2")
            assert stillborn.cancel()
            with pytest.raises(asyncio.CancelledError):
                await stillborn
            assert await call(b"3") == b"3"
            assert seen == [b"1", b"3"]

    run(main())


def test_cancel_after_the_end_changes_nothing(peer: Any) -> None:
    async def main() -> None:
        async with peer() as channel:
            call = method(channel, "Echo")(b"x")
            assert await call == b"x"
            assert call.cancel() is False
            assert not call.cancelled()
            assert await call == b"x"
            assert await call.code() is grpc.StatusCode.OK

    run(main())


def test_cancelling_the_task_that_awaits_cancels_the_call(peer: Any) -> None:
    async def main() -> None:
        async with peer() as channel:
            before = int(await method(channel, "Cancelled")(b""))
            call = method(channel, "Hang")(b"")

            async def wait() -> None:
                await call

            task = asyncio.create_task(wait())
            await method(channel, "Sleep")(b"0.05")
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert call.cancelled()
            assert await call.code() is grpc.StatusCode.CANCELLED
            deadline = time.monotonic() + 10
            while int(await method(channel, "Cancelled")(b"")) < before + 1:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.01)

    run(main())


@pytest.mark.stock_defect("the message of task.cancel() is lost (#43502)")
def test_the_message_of_task_cancel_is_kept() -> None:
    async def main() -> None:
        async def hang(request: bytes, context: Any) -> bytes:
            await asyncio.Event().wait()
            return b""

        async with calling(hang) as call:

            async def wait() -> None:
                await call(b"")

            task = asyncio.create_task(wait())
            await asyncio.sleep(0.02)
            task.cancel("why")
            with pytest.raises(asyncio.CancelledError) as caught:
                await task
            assert caught.value.args == ("why",)

    run(main())


def test_cancelling_a_wait_for_an_accessor_does_not_cancel_the_call(peer: Any) -> None:
    async def main() -> None:
        async with peer() as channel:
            call = method(channel, "Sleep")(b"0.1")
            waiter = asyncio.create_task(call.code())
            await asyncio.sleep(0.01)
            waiter.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiter
            assert await call == b"0.1"

    run(main())


def test_wait_for_cancels_the_call(peer: Any) -> None:
    async def main() -> None:
        async with peer() as channel:
            call = method(channel, "Hang")(b"")
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(call, 0.1)
            assert call.cancelled()

    run(main())


def test_a_cancelled_status_from_the_server_is_an_rpc_error(peer: Any) -> None:
    async def main() -> None:
        async with peer() as channel:
            call = method(channel, "Status")(b'{"code": "CANCELLED", "details": "remote"}')
            error = await error_of(call)
            assert error.code() is grpc.StatusCode.CANCELLED
            assert error.details() == "remote"
            assert call.cancelled()

    run(main())


@pytest.mark.stock_defect("a dropped call is never cancelled since 1.83 (#43462)")
def test_a_dropped_call_cancels_itself() -> None:
    async def main() -> None:
        events: dict[str, float] = {}

        async def handler(request: bytes, context: Any) -> bytes:
            events["entered"] = time.monotonic()
            try:
                await asyncio.Event().wait()
            finally:
                events["left"] = time.monotonic()
            return b""

        async with calling(handler) as method:
            call = method(b"")
            await until(lambda: "entered" in events)
            dropped = time.monotonic()
            del call
            gc.collect()
            await until(lambda: "left" in events, 3)
            assert events["left"] - dropped < 0.5

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


# ---- connecting


def test_states_of_a_channel(peer: Any) -> None:
    async def main() -> None:
        async with peer() as channel:
            assert channel.get_state() is IDLE
            changed = asyncio.create_task(channel.wait_for_state_change(IDLE))
            await asyncio.sleep(0.01)
            assert not changed.done()
            channel.get_state(try_to_connect=True)
            await changed
            await channel.channel_ready()
            assert channel.get_state() is READY
            await channel.channel_ready()
            # Returns at once: the state is another already.
            await channel.wait_for_state_change(IDLE)
        assert channel.get_state() is grpc.ChannelConnectivity.SHUTDOWN

    run(main())


def test_a_refused_connection_is_unavailable() -> None:
    async def main() -> None:
        target = f"127.0.0.1:{unused_port()}"
        async with aio.insecure_channel(target) as channel:
            started = time.monotonic()
            error = await error_of(channel.unary_unary("/a/A")(b""))
            assert error.code() is grpc.StatusCode.UNAVAILABLE
            assert "failed to connect to all addresses" in error.details()
            assert "Connection refused" in error.details()
            assert target in error.details()
            in_time(started, 5)
            assert channel.get_state() is grpc.ChannelConnectivity.TRANSIENT_FAILURE

    run(main())


@pytest.mark.parametrize("how", ["wait_for_ready", "channel_ready"])
def test_a_server_that_comes_up_later_is_found(how: str) -> None:
    async def main() -> None:
        port = unused_port()
        options = (("grpc.initial_reconnect_backoff_ms", 100), ("grpc.min_reconnect_backoff_ms", 100))
        async with aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
            method = channel.unary_unary("/test.Service/Method")
            call = method(b"x", wait_for_ready=True) if how == "wait_for_ready" else None
            ready = asyncio.create_task(channel.channel_ready())
            assert await method(b"y").code() is grpc.StatusCode.UNAVAILABLE
            assert await method(b"y", wait_for_ready=False).code() is grpc.StatusCode.UNAVAILABLE
            assert not ready.done()
            server = aio.server(handlers=[service(Method=echo)])
            server.add_insecure_port(f"127.0.0.1:{port}")
            await server.start()
            await ready
            if call is not None:
                assert await call == b"x"
            assert await method(b"z") == b"z"
            await server.stop(None)

    run(main())


def test_a_call_that_waits_for_ready_ends_at_its_deadline() -> None:
    async def main() -> None:
        async with aio.insecure_channel(f"127.0.0.1:{unused_port()}") as channel:
            started = time.monotonic()
            call = channel.unary_unary("/a/A")(b"", timeout=0.3, wait_for_ready=True)
            assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            assert 0.29 <= time.monotonic() - started < 5

    run(main())


def test_a_channel_connects_again_after_its_server_was_replaced() -> None:
    async def main() -> None:
        options = (("grpc.initial_reconnect_backoff_ms", 100), ("grpc.min_reconnect_backoff_ms", 100))
        port = unused_port()
        async with aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
            method = channel.unary_unary("/test.Service/Method")
            for _ in range(3):
                server = aio.server(handlers=[service(Method=echo)])
                server.add_insecure_port(f"127.0.0.1:{port}")
                await server.start()
                assert await method(b"x", wait_for_ready=True) == b"x"
                await server.stop(None)

    run(main())


def test_wait_for_connection(peer: Any) -> None:
    async def main() -> None:
        async with peer() as channel:
            call = method(channel, "Echo")(b"x")
            await call.wait_for_connection()
            assert await call == b"x"

    run(main())


# ---- closing


def test_close_cancels_calls_and_is_idempotent(peer: Any) -> None:
    async def main() -> None:
        async with peer() as channel:
            call = method(channel, "Hang")(b"")
            await channel.channel_ready()
            await channel.close()
            assert await call.code() is grpc.StatusCode.CANCELLED
            assert call.cancelled()
            await channel.close()
            await channel.close(1)

    run(main())


def test_close_with_grace_lets_calls_finish(peer: Any) -> None:
    async def main() -> None:
        async with peer() as channel:
            quick, endless = method(channel, "Sleep")(b"0.1"), method(channel, "Hang")(b"")
            await channel.channel_ready()
            started = time.monotonic()
            await channel.close(1)
            assert 0.9 <= time.monotonic() - started < 5
            assert await quick == b"0.1"
            assert await endless.code() is grpc.StatusCode.CANCELLED

    run(main())


def test_close_with_grace_returns_when_no_call_is_left(peer: Any) -> None:
    async def main() -> None:
        async with peer() as channel:
            call = method(channel, "Sleep")(b"0.05")
            await channel.channel_ready()
            started = time.monotonic()
            await channel.close(60)
            in_time(started, 5)
            assert await call == b"0.05"

    run(main())


def test_close_refuses_new_calls_at_once(peer: Any) -> None:
    async def main() -> None:
        async with peer() as channel:
            call = method(channel, "Sleep")(b"0.1")
            await channel.channel_ready()
            closing = asyncio.create_task(channel.close(5))
            await asyncio.sleep(0)
            with pytest.raises(aio.UsageError):
                method(channel, "Echo")(b"")
            await closing
            assert await call == b"0.1"

    run(main())


def test_a_negative_grace_is_a_value_error(peer: Any) -> None:
    async def main() -> None:
        async with peer() as channel:
            with pytest.raises(ValueError, match="non-negative"):
                await channel.close(-1)
            assert await method(channel, "Echo")(b"x") == b"x"

    run(main())


def test_use_of_a_closed_channel_is_a_usage_error(peer: Any) -> None:
    async def main() -> None:
        async with peer() as channel:
            call = method(channel, "Echo")
            await channel.close()
            with pytest.raises(aio.UsageError, match=r"Channel is closed\."):
                call(b"")
            with pytest.raises(aio.UsageError, match=r"Channel is closed\."):
                await channel.wait_for_state_change(IDLE)
            with pytest.raises(aio.UsageError, match=r"Channel is closed\."):
                await channel.channel_ready()
            assert channel.get_state() is grpc.ChannelConnectivity.SHUTDOWN
            assert channel.get_state(try_to_connect=True) is grpc.ChannelConnectivity.SHUTDOWN

    run(main())


def test_close_wakes_those_who_wait_for_a_state_change(peer: Any) -> None:
    async def main() -> None:
        async with peer() as channel:
            waiting = asyncio.create_task(channel.wait_for_state_change(IDLE))
            await asyncio.sleep(0.01)
            await channel.close()
            started = time.monotonic()
            await asyncio.wait([waiting], timeout=5)
            in_time(started, 5)
            assert waiting.done()
            # Whether it is an error depends on what core reported last.
            assert waiting.exception() is None or isinstance(
                waiting.exception(), (aio.UsageError, RuntimeError)
            )

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
