# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Calls of every arity, at every point of their life, ended in every way."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import grpc
import pytest
import uvloop
from support import aio, run, service, serving, until, unused_port

from uvgrpc import loop_stats

pytestmark = pytest.mark.uvgrpc_only

ARITIES = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")


async def _slow(_request: Any, _context: Any) -> bytes:
    await asyncio.sleep(3600)
    return b""


async def _slow_stream(_request: Any, _context: Any) -> AsyncIterator[bytes]:
    yield b"1"
    await asyncio.sleep(3600)


async def _echo(request: bytes, _context: Any) -> bytes:
    return request


async def _echo_stream(request: bytes, _context: Any) -> AsyncIterator[bytes]:
    yield request


async def _join(requests: AsyncIterator[bytes], _context: Any) -> bytes:
    return b"".join([request async for request in requests])


async def _chat(requests: AsyncIterator[bytes], _context: Any) -> AsyncIterator[bytes]:
    async for request in requests:
        yield request


def handlers(unary: Any, unary_stream: Any, stream_unary: Any, stream_stream: Any) -> dict[str, Any]:
    return {
        "unary_unary": grpc.unary_unary_rpc_method_handler(unary),
        "unary_stream": grpc.unary_stream_rpc_method_handler(unary_stream),
        "stream_unary": grpc.stream_unary_rpc_method_handler(stream_unary),
        "stream_stream": grpc.stream_stream_rpc_method_handler(stream_stream),
    }


# ---- where a call goes

_mute_port = 0


@contextlib.asynccontextmanager
async def connected(quick: bool = True) -> AsyncIterator[Any]:
    table = (
        handlers(_echo, _echo_stream, _join, _chat)
        if quick
        else handlers(_slow, _slow_stream, _slow, _slow_stream)
    )
    async with serving(service(**table)) as running, aio.insecure_channel(running.target) as channel:
        await channel.channel_ready()
        yield channel


@contextlib.asynccontextmanager
async def to_slow() -> AsyncIterator[Any]:
    """Reads no request, and so blocks by flow control what sends many."""
    async with connected(quick=False) as channel:
        yield channel


@contextlib.asynccontextmanager
async def connecting() -> AsyncIterator[Any]:
    """A connection that nobody answers on."""
    async with aio.insecure_channel(f"127.0.0.1:{_mute_port}") as channel:
        channel.get_state(True)
        yield channel


@pytest.fixture(scope="module", autouse=True)
def mute() -> Iterator[None]:
    """Something that listens and never accepts."""
    global _mute_port
    with socket.create_server(("127.0.0.1", 0)) as listening:
        _mute_port = listening.getsockname()[1]
        yield


@contextlib.asynccontextmanager
async def unconnected() -> AsyncIterator[Any]:
    async with aio.insecure_channel(f"127.0.0.1:{unused_port()}") as channel:
        yield channel


PLACES = {"connected": connected, "to_slow": to_slow, "connecting": connecting, "unconnected": unconnected}

# ---- how far it comes, and how it ends

MESSAGES = {"none": [], "one": [b"x"], "few": [b"x"] * 3, "many": [b"x"] * 50, "large": [bytes(100_000)] * 3}


async def start(channel: Any, arity: str, messages: list[bytes], half_closes: bool) -> tuple[Any, list[Any]]:
    """A call, and the tasks of those who write and wait."""
    method = getattr(channel, arity)(f"/test.Service/{arity}")
    if arity.startswith("unary"):
        return method(messages[0] if messages else b""), []
    call = method()

    async def write() -> None:
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            for message in messages:
                await call.write(message)
            if half_closes:
                await call.done_writing()

    return call, [asyncio.ensure_future(write())]


async def waits(call: Any) -> None:
    with contextlib.suppress(grpc.aio.AioRpcError):
        if hasattr(call, "__aiter__"):
            async for _ in call:
                pass
        else:
            await call


async def turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def drop(held: list[Any], _channel: Any) -> None:
    held.clear()


async def cancel(held: list[Any], _channel: Any) -> None:
    for call in held:
        call.cancel()
    held.clear()


async def close(held: list[Any], channel: Any) -> None:
    await channel.close()
    held.clear()


async def drop_and_close(held: list[Any], channel: Any) -> None:
    held.clear()
    await channel.close()


ENDS: dict[str, Callable[[list[Any], Any], Awaitable[None]]] = {
    "drop": drop,
    "cancel": cancel,
    "close": close,
    "drop_and_close": drop_and_close,
}


async def live(place: str, arity: str, end: str) -> None:
    """All lives of a call of this kind, one after the other."""
    for messages, half_closes, awaited, number in itertools.product(
        MESSAGES.values(), (False, True), (False, True), (0, 1, 3)
    ):
        if arity.startswith("unary") and half_closes:
            continue
        floor = loop_stats().residents
        async with PLACES[place]() if end in ("close", "drop_and_close") else _kept(place) as channel:
            call, tasks = await start(channel, arity, messages, half_closes)
            if awaited:
                tasks.append(asyncio.ensure_future(waits(call)))
            held = [call]
            del call
            await turns(number)
            await ENDS[end](held, channel)
            if end == "drop":
                # Who waits for a call holds it.
                for task in tasks:
                    task.cancel()
            await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 20)
            del tasks
        if end in ("close", "drop_and_close"):
            await until(partial(gone, floor), 20)


def gone(floor: int) -> bool:
    if loop_stats().residents <= floor:
        return True
    gc.collect()
    return False


_channels: dict[str, Any] = {}


@contextlib.asynccontextmanager
async def _kept(place: str) -> AsyncIterator[Any]:
    yield _channels[place]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("arity", ARITIES)
@pytest.mark.parametrize("place", PLACES)
def test_every_life_of_a_call_ends(place: str, arity: str, end: str, capfd: Any) -> None:
    async def main() -> None:
        async with PLACES[place]() as channel:
            _channels[place] = channel
            floor = loop_stats().residents
            await live(place, arity, end)
            await until(lambda: gone(floor), 20)
            _channels.clear()

    run(main(), limit=120)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("arity", ARITIES)
@pytest.mark.parametrize("place", PLACES)
def test_the_loop_is_closed_over_calls_of_every_age(place: str, arity: str, capfd: Any) -> None:
    calls = []

    async def main(messages: list[bytes], number: int) -> None:
        place_ = PLACES[place]()
        channel = await place_.__aenter__()
        _channels[place] = place_  # left open
        call, tasks = await start(channel, arity, messages, True)
        calls.append(call)
        await turns(number)
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    for messages, number in itertools.product(MESSAGES.values(), (0, 1, 3)):
        loop = uvloop.new_event_loop()
        loop.run_until_complete(main(messages, number))
        native = loop._uvgrpc_loop  # type: ignore[attr-defined]
        for task in asyncio.all_tasks(loop):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
        loop.close()
        assert native.resident_count == 0
        assert native.handle_count == 0, native.describe_handles()
    assert all(call.done() for call in calls)
    calls.clear()
    _channels.clear()
    gc.collect()
    assert capfd.readouterr().err == ""
