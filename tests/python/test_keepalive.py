# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Keepalive: a peer whose kernel still answers, but that does not.

Core 1.85 waits a minute for the answer, whatever the keepalive time-out (bindings/channel_args.h).
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import grpc
import grpc.aio
import pytest
from support import STOCK, aio, echo, environment, error_of, run, service, serving, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.uvgrpc_only,
]

OPTIONS = (("grpc.keepalive_time_ms", 1000), ("grpc.keepalive_timeout_ms", 1000))
# Two seconds, on a machine that is busy.
SOON = 5.0 if STOCK else 15.0

CLIENT = """
import asyncio, sys
import grpc.aio

async def main(target):
    channel = grpc.aio.insecure_channel(target)
    await channel.unary_unary("/test.Service/Hang")(b"x")

asyncio.run(main(sys.argv[1]))
"""


@pytest.fixture
def stopped_server() -> Iterator[Any]:
    """A server of another process: its port, and a function that stops it."""
    with subprocess.Popen(
        [sys.executable, "-m", "peers.stock_server", "aio"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline()), lambda: process.send_signal(signal.SIGSTOP)
        finally:
            process.kill()


@pytest.mark.parametrize("under_way", [True, False], ids=["a call under way", "a call that comes later"])
def test_a_server_that_is_stopped_is_noticed(stopped_server: Any, under_way: bool) -> None:
    port, stop = stopped_server

    async def main() -> None:
        async with aio.insecure_channel(f"127.0.0.1:{port}", options=OPTIONS) as channel:
            assert await channel.unary_unary("/peer.Service/Echo")(b"x", timeout=20) == b"x"
            if not under_way:
                stop()
            started = time.monotonic()
            call = channel.unary_unary("/peer.Service/Sleep")(b"100", timeout=30)
            if under_way:
                await asyncio.sleep(0.1)
                stop()
            error = await error_of(call)
            assert error.code() == grpc.StatusCode.UNAVAILABLE
            assert "ping timeout" in error.details()
            assert 0.9 < time.monotonic() - started < SOON

    run(main())


def test_an_idle_connection_to_a_stopped_server_is_noticed(stopped_server: Any) -> None:
    port, stop = stopped_server
    options = (*OPTIONS, ("grpc.keepalive_permit_without_calls", 1))

    async def main() -> None:
        async with aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
            await channel.channel_ready()
            stop()
            await asyncio.wait_for(channel.wait_for_state_change(grpc.ChannelConnectivity.READY), SOON)

    run(main())


def test_a_client_that_is_stopped_is_noticed() -> None:
    cancelled = asyncio.Event()
    begun = asyncio.Event()

    async def hang(_request: bytes, _context: Any) -> bytes:
        begun.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return b""

    async def main() -> None:
        async with serving(service(Hang=hang), options=OPTIONS) as running:
            client = await asyncio.create_subprocess_exec(
                sys.executable, "-c", CLIENT, running.target, env=environment()
            )
            try:
                await begun.wait()
                os.kill(client.pid, signal.SIGSTOP)
                await asyncio.wait_for(cancelled.wait(), SOON)
            finally:
                client.kill()
                await client.wait()

    run(main())


def test_a_peer_that_answers_stays() -> None:
    async def main() -> None:
        options = (
            *OPTIONS,
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.max_pings_without_data", 0),
        )
        permissive = (("grpc.http2.min_ping_interval_without_data_ms", 100),)
        async with (
            serving(service(Method=echo), options=permissive) as running,
            aio.insecure_channel(running.target, options=options) as channel,
        ):
            await channel.channel_ready()
            changed = asyncio.ensure_future(channel.wait_for_state_change(grpc.ChannelConnectivity.READY))
            await asyncio.sleep(4)
            assert not changed.done()
            changed.cancel()
            assert await channel.unary_unary("/test.Service/Method")(b"x") == b"x"
        await until(changed.done)

    run(main())
