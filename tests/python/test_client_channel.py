# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Channels: connecting, and closing."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import grpc
import pytest
from calling_peers import method
from calling_peers import peer as peer
from support import aio, echo, error_of, in_time, run, service, unused_port

READY = grpc.ChannelConnectivity.READY
IDLE = grpc.ChannelConnectivity.IDLE


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
