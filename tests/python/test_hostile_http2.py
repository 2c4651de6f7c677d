# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Attacks by HTTP/2: a well-behaved client is served, memory is bounded, everything is given back.

How much a well-behaved client feels of them is a matter of the machine: `make hostile` measures it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import tls
from hostile.attacks import ATTACKS, TLS_ATTACKS, Attack, half_open
from hostile.server import Target, attacked
from peers import frames
from support import aio, environment, run

# Core says of some of it that it is wrong.
pytestmark = [pytest.mark.uvgrpc_only, pytest.mark.writes_stderr]

# An attack that is not bounded gets there within a second.
GROWTH = 64 << 20
SECONDS = 0.7
# Connections that do not get through with their greeting are closed after this.
HANDSHAKE_MS = 1000


@contextlib.asynccontextmanager
async def _under(attack: Attack, target: Target) -> AsyncIterator[None]:
    task = asyncio.ensure_future(attack(target.port))
    try:
        yield
    finally:
        assert not task.done(), task
        task.cancel()
        await asyncio.wait([task])


async def _suffer(target: Target, attack: Attack, channel: Any, seconds: float = SECONDS) -> None:
    """Calls during an attack are answered; then all of it is given back."""
    echo = channel.unary_unary("/t/Echo")
    loop = asyncio.get_running_loop()
    for index in range(20):
        assert await echo(b"%d" % index, timeout=20) == b"%d" % index
    floor = await target.figures()
    async with _under(attack, target):
        end = loop.time() + seconds
        answered = 0
        while answered < 5 or loop.time() < end:
            assert await echo(b"%d" % answered, timeout=20) == b"%d" % answered
            answered += 1
            await asyncio.sleep(0.005)
        during = await target.figures()
    assert during["rss"] - floor["rss"] < GROWTH, (during, floor)
    after = await target.back_to(floor)
    assert after["rss"] - floor["rss"] < GROWTH, (after, floor)
    assert await echo(b"after", timeout=20) == b"after"


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_survived_and_leaves_nothing(name: str) -> None:
    async def main() -> None:
        options = [("grpc.server_handshake_timeout_ms", HANDSHAKE_MS)]
        with attacked(options=options, environ=environment()) as target:
            async with aio.insecure_channel(f"127.0.0.1:{target.port}") as channel:
                await _suffer(target, ATTACKS[name], channel)

    run(main(), limit=90)


@pytest.mark.parametrize("name", TLS_ATTACKS)
def test_an_attack_on_a_port_with_tls_is_survived(name: str) -> None:
    async def main() -> None:
        identity = tls.localhost()
        secrets = {"key": identity.key.decode(), "chain": identity.chain.decode()}
        options = [("grpc.server_handshake_timeout_ms", HANDSHAKE_MS)]
        with attacked(options=options, environ=environment(), **secrets) as target:
            async with aio.secure_channel(f"localhost:{target.port}", tls.channel_tls()) as channel:
                await _suffer(target, TLS_ATTACKS[name], channel)

    run(main(), limit=90)


def test_half_open_connections_cost_little_and_go() -> None:
    count = 400

    async def main() -> None:
        with attacked(
            options=[("grpc.server_handshake_timeout_ms", 60_000)], environ=environment()
        ) as target:
            async with aio.insecure_channel(f"127.0.0.1:{target.port}") as channel:
                echo = channel.unary_unary("/t/Echo")
                assert await echo(b"x", timeout=20) == b"x"
                floor = await target.figures()
                async with _under(half_open(count), target):
                    found = await target.gets_to(floor["fds"] + count)
                    assert found["rss"] - floor["rss"] < count * 100_000
                    assert await echo(b"x", timeout=20) == b"x"
                await target.back_to(floor)

    run(main(), limit=90)


@pytest.mark.parametrize("opening", [b"", frames.PREFACE[:10]], ids=["nothing", "half a preface"])
def test_a_connection_that_does_not_greet_is_closed_in_time(opening: bytes) -> None:
    async def main() -> None:
        with attacked(options=[("grpc.server_handshake_timeout_ms", 300)], environ=environment()) as target:
            floor = await target.figures()
            reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
            writer.write(opening)
            with contextlib.suppress(ConnectionError):
                while await reader.read(1000):
                    pass
            writer.close()
            await target.back_to(floor)

    run(main(), limit=60)
