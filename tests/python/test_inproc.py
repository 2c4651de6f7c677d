# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Channels to a server of the same loop, without a socket.

What a call does must not depend on that: most tests run over a socket as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest
from support import LIMIT, aio, echo, error_of, open_files, resident_bytes, run, until

from uvgrpc import loop_stats
from uvgrpc._rpc.channel import Channel
from uvgrpc.aio._connection import InprocConnection

pytestmark = pytest.mark.uvgrpc_only

BOTH = pytest.mark.parametrize("kind", ["inproc", "loopback"])
UU, US, SU, SS = "/test.Service/UU", "/test.Service/US", "/test.Service/SU", "/test.Service/SS"


def inproc(server: Any, *options: tuple[str, Any], interceptors: Any = None, compression: Any = None) -> Any:
    """A channel to a server that runs, inside the process."""
    connection = InprocConnection(server)
    return Channel("inproc", None, options, compression, interceptors, False, connection=connection)


@contextlib.asynccontextmanager
async def serving(
    kind: str, channel_options: tuple[Any, ...] = (), grace: float | None = None, **handlers: Any
) -> AsyncIterator[tuple[Any, Any]]:
    """A server of handlers by the arity that they are named for, and a channel to it."""
    server_options = handlers.pop("server_options", {})
    makers = {
        "UU": grpc.unary_unary_rpc_method_handler,
        "US": grpc.unary_stream_rpc_method_handler,
        "SU": grpc.stream_unary_rpc_method_handler,
        "SS": grpc.stream_stream_rpc_method_handler,
    }
    server = aio.server(**server_options)
    server.add_registered_method_handlers(
        "test.Service", {name: makers[name](handler) for name, handler in handlers.items()}
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    if kind == "inproc":
        channel = inproc(server, *channel_options)
    else:
        channel = aio.insecure_channel(f"127.0.0.1:{port}", options=channel_options)
    try:
        async with channel:
            yield server, channel
    finally:
        await server.stop(grace)


async def count_up(request: bytes, _context: Any) -> AsyncIterator[bytes]:
    for number in range(int(request)):
        yield b"%d" % number


async def join(requests: Any, _context: Any) -> bytes:
    return b",".join([request async for request in requests])


async def echo_all(requests: Any, _context: Any) -> AsyncIterator[bytes]:
    async for request in requests:
        yield request


async def for_ever(_request: Any, context: Any) -> Any:
    await asyncio.sleep(3600)


# ---- calls


@BOTH
def test_all_arities(kind: str) -> None:
    async def main() -> None:
        async with serving(kind, UU=echo, US=count_up, SU=join, SS=echo_all) as (_, channel):
            assert await channel.unary_unary(UU)(b"x") == b"x"
            assert await channel.unary_unary(UU)(b"") == b""
            assert [r async for r in channel.unary_stream(US)(b"300")] == [b"%d" % i for i in range(300)]
            assert [r async for r in channel.unary_stream(US)(b"0")] == []
            assert await channel.stream_unary(SU)(iter([b"a", b"b"])) == b"a,b"
            assert await channel.stream_unary(SU)(iter([])) == b""
            call = channel.stream_stream(SS)()
            for i in range(100):
                await call.write(b"%d" % i)
                assert await call.read() == b"%d" % i
            await call.done_writing()
            assert await call.read() is grpc.aio.EOF
            assert await call.code() is grpc.StatusCode.OK
            calls = [channel.unary_unary(UU)(b"%d" % i) for i in range(2000)]
            assert await asyncio.gather(*calls) == [b"%d" % i for i in range(2000)]

    run(main())


@BOTH
def test_metadata_both_ways(kind: str) -> None:
    async def main() -> None:
        seen: dict[str, Any] = {}

        async def handler(_request: bytes, context: Any) -> bytes:
            seen.update(context.invocation_metadata())
            seen["peer"] = context.peer()
            seen["auth"] = context.auth_context()
            await context.send_initial_metadata((("initial", "1"), ("initial-bin", b"\0\xff")))
            context.set_trailing_metadata((("trailing", "a"), ("trailing", "b"), ("trailing-bin", b"\x01")))
            return b""

        async with serving(kind, UU=handler) as (_, channel):
            call = channel.unary_unary(UU)(b"", metadata=(("key", "value"), ("key-bin", b"\0\xfe")))
            await call
            assert {"key": "value", "key-bin": b"\0\xfe"}.items() <= seen.items()
            assert seen["user-agent"].startswith("grpc-python-uvgrpc/")
            assert seen["auth"]["transport_security_type"] == [b"insecure"]
            assert seen["peer"].startswith("inproc:" if kind == "inproc" else "ipv4:")
            assert tuple(await call.initial_metadata()) == (("initial", "1"), ("initial-bin", b"\0\xff"))
            assert tuple(await call.trailing_metadata()) == (
                ("trailing", "a"),
                ("trailing", "b"),
                ("trailing-bin", b"\x01"),
            )

    run(main())


@BOTH
def test_errors(kind: str) -> None:
    async def main() -> None:
        async def aborts(request: bytes, context: Any) -> bytes:
            await context.abort(grpc.StatusCode.NOT_FOUND, "naïve \n%", (("why", "so"),))

        async def raises(request: bytes, _context: Any) -> AsyncIterator[bytes]:
            yield b"first"
            raise RuntimeError("oh")

        async with serving(kind, UU=aborts, US=raises) as (_, channel):
            error = await error_of(channel.unary_unary(UU)(b""))
            assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "naïve \n%")
            assert tuple(error.trailing_metadata()) == (("why", "so"),)
            call = channel.unary_stream(US)(b"")
            assert await call.read() == b"first"
            assert "oh" in (await error_of(call.read())).details()
            missing = await error_of(channel.unary_unary("/test.Service/No")(b""))
            assert missing.code() is grpc.StatusCode.UNIMPLEMENTED

    run(main())


@BOTH
def test_deadlines(kind: str) -> None:
    async def main() -> None:
        remaining: list[float] = []
        cancelled = asyncio.Event()

        async def handler(_request: bytes, context: Any) -> bytes:
            remaining.append(context.time_remaining())
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                cancelled.set()
                raise
            return b""

        async with serving(kind, UU=handler) as (_, channel):
            error = await error_of(channel.unary_unary(UU)(b"", timeout=0.3))
            assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            assert 0 < remaining[0] <= 0.31
            await asyncio.wait_for(cancelled.wait(), LIMIT)
            error = await error_of(channel.unary_unary(UU)(b"", timeout=0))
            assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED

    run(main())


@BOTH
def test_a_client_cancels(kind: str) -> None:
    async def main() -> None:
        running, cancelled = 0, 0

        async def handler(requests: Any, _context: Any) -> AsyncIterator[bytes]:
            nonlocal running, cancelled
            running += 1
            try:
                yield b"begun"
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                cancelled += 1
                raise

        async with serving(kind, SS=handler) as (_, channel):
            call = channel.stream_stream(SS)()
            assert await call.read() == b"begun"
            assert call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call.read()
            await until(lambda: (running, cancelled) == (1, 1))
            call = channel.stream_stream(SS)()
            assert await call.read() == b"begun"
            del call
            await until(lambda: gc.collect() is not None and (running, cancelled) == (2, 2))
            # Before it has got anywhere.
            call = channel.stream_stream(SS)()
            call.cancel()
            assert await call.code() is grpc.StatusCode.CANCELLED
            await asyncio.sleep(0)
            assert running == 2

    run(main())


@BOTH
@pytest.mark.parametrize("answer", [b"x", b"x" * 5_000_000])
def test_a_server_may_answer_before_the_client_has_said_all(kind: str, answer: bytes) -> None:
    async def main() -> None:
        async def handler(requests: Any, _context: Any) -> bytes:
            async for _ in requests:
                return answer
            return b""

        async with serving(kind, (("grpc.max_receive_message_length", -1),), SU=handler) as (_, channel):
            call = channel.stream_unary(SU)()
            with contextlib.suppress(asyncio.InvalidStateError, grpc.aio.AioRpcError):
                while not call.done():
                    await call.write(b"y" * 100_000)
            assert await call == answer
            assert await call.code() is grpc.StatusCode.OK

    run(main())


# ---- flow control and limits


@BOTH
@pytest.mark.parametrize("size", [1, 1000, 300_000])
def test_a_writer_waits_for_its_reader(kind: str, size: int) -> None:
    async def main() -> None:
        message, count, written = b"x" * size, 20_000_000 // size if size > 100 else 30_000, 0

        async def handler(_request: bytes, context: Any) -> None:
            nonlocal written
            for _ in range(count):
                await context.write(message)
                written += 1

        async with serving(kind, US=handler) as (_, channel):
            call = channel.unary_stream(US)(b"")
            assert await call.read() == message
            progress = -1
            while progress != written:
                progress = written
                await asyncio.sleep(0.1)
            assert written == count or written * size < 16_000_000
            for _ in range(count - 1):
                assert await call.read() == message
            assert await call.read() is grpc.aio.EOF

    run(main(), limit=4 * LIMIT)


@BOTH
def test_both_sides_may_write_before_they_read(kind: str) -> None:
    async def main() -> None:
        async with serving(kind, SS=echo_all) as (_, channel):
            call = channel.stream_stream(SS)()
            for i in range(20):
                await call.write(bytes([i]) * 70_000)
            for i in range(20):
                assert await call.read() == bytes([i]) * 70_000
            await call.done_writing()
            assert await call.read() is grpc.aio.EOF

    run(main())


@BOTH
def test_sizes_of_messages_are_limited(kind: str) -> None:
    async def main() -> None:
        async with serving(
            kind,
            (("grpc.max_receive_message_length", 1000), ("grpc.max_send_message_length", 5000)),
            UU=lambda request, _context: _repeat(request),
            server_options={"options": (("grpc.max_receive_message_length", 3000),)},
        ) as (_, channel):
            method = channel.unary_unary(UU)
            assert len(await method(b"500")) == 500
            for request in (b"2000", b"1".rjust(4000), b"1".rjust(6000)):
                error = await error_of(method(request))
                assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED, request
            assert len(await method(b"1000")) == 1000

    async def _repeat(request: bytes) -> bytes:
        return b"x" * int(request)

    run(main())


@BOTH
def test_metadata_is_limited(kind: str) -> None:
    async def main() -> None:
        async def handler(request: bytes, context: Any) -> bytes:
            context.set_trailing_metadata((("big", "x" * int(request)),))
            return b""

        async with serving(kind, UU=handler) as (_, channel):
            method = channel.unary_unary(UU)
            await method(b"4000", metadata=(("big", "x" * 4000),))
            for request, size in ((b"1", 100_000), (b"100000", 1)):
                error = await error_of(method(request, metadata=(("big", "x" * size),)))
                assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            await method(b"1")

    run(main())


@BOTH
def test_compression(kind: str) -> None:
    async def main() -> None:
        async with serving(
            kind, UU=echo, SS=echo_all, server_options={"compression": grpc.Compression.Gzip}
        ) as (
            _,
            channel,
        ):
            message = b"abc" * 10_000
            assert await channel.unary_unary(UU)(message, compression=grpc.Compression.Deflate) == message
            call = channel.stream_stream(SS)(iter([message, b"", message]), compression=grpc.Compression.Gzip)
            assert [response async for response in call] == [message, b"", message]

    run(main())


# ---- the end of a server, a channel, a loop


@BOTH
def test_a_server_that_stops_lets_calls_finish(kind: str) -> None:
    async def main() -> None:
        go_on = asyncio.Event()
        arrived = asyncio.Event()

        async def handler(request: bytes, _context: Any) -> bytes:
            arrived.set()
            await go_on.wait()
            return request

        async with serving(kind, UU=handler) as (server, channel):
            call = channel.unary_unary(UU)(b"last")
            await asyncio.wait_for(arrived.wait(), LIMIT)
            stopping = asyncio.ensure_future(server.stop(LIMIT))
            # Over a socket the client has to hear of it first.
            await until(lambda: channel.get_state() is not grpc.ChannelConnectivity.READY)
            error = await error_of(channel.unary_unary(UU)(b"late", timeout=LIMIT))
            assert error.code() is grpc.StatusCode.UNAVAILABLE
            assert not stopping.done()
            go_on.set()
            assert await call == b"last"
            await stopping
            error = await error_of(channel.unary_unary(UU)(b"late", timeout=LIMIT))
            assert error.code() is grpc.StatusCode.UNAVAILABLE

    run(main())


@BOTH
@pytest.mark.parametrize("grace", [None, 0.05])
def test_a_server_that_stops_aborts_calls(kind: str, grace: float | None) -> None:
    async def main() -> None:
        ended = asyncio.Event()

        async def handler(_requests: Any, _context: Any) -> AsyncIterator[bytes]:
            try:
                yield b"begun"
                await asyncio.sleep(3600)
            finally:
                ended.set()

        async with serving(kind, SS=handler) as (server, channel):
            call = channel.stream_stream(SS)()
            assert await call.read() == b"begun"
            await server.stop(grace)
            error = await error_of(call.read())
            assert error.code() is grpc.StatusCode.UNAVAILABLE
            await asyncio.wait_for(ended.wait(), LIMIT)

    run(main())


def test_a_stopped_server_is_named_as_the_reason() -> None:
    async def main() -> None:
        async with serving("inproc", UU=echo) as (server, channel):
            await channel.unary_unary(UU)(b"")
            await server.stop(None)
            error = await error_of(channel.unary_unary(UU)(b""))
            assert error.details() == "The server of this in-process channel has stopped"

    run(main())


@BOTH
def test_a_channel_that_is_closed(kind: str) -> None:
    async def main() -> None:
        begun = asyncio.Event()
        go_on = asyncio.Event()

        async def handler(request: bytes, _context: Any) -> bytes:
            begun.set()
            await go_on.wait()
            return request

        async with serving(kind, UU=handler) as (_, channel):
            call = channel.unary_unary(UU)(b"x")
            await asyncio.wait_for(begun.wait(), LIMIT)
            closing = asyncio.ensure_future(channel.close(LIMIT))
            await asyncio.sleep(0)
            go_on.set()
            await closing
            assert await call == b"x"
            with pytest.raises(aio.UsageError):
                channel.unary_unary(UU)(b"x")
        begun.clear()
        go_on.clear()
        async with serving(kind, UU=handler) as (_, channel):
            call = channel.unary_unary(UU)(b"x")
            await asyncio.wait_for(begun.wait(), LIMIT)
            await channel.close()
            with pytest.raises(asyncio.CancelledError):
                await call

    run(main())


def test_states() -> None:
    async def main() -> None:
        state = grpc.ChannelConnectivity
        begun = asyncio.Event()
        go_on = asyncio.Event()

        async def handler(request: bytes, _context: Any) -> bytes:
            begun.set()
            await go_on.wait()
            return request

        async with serving("inproc", UU=handler) as (server, channel):
            assert channel.get_state() is state.READY
            await channel.channel_ready()
            await channel.wait_for_state_change(state.IDLE)
            changes = [asyncio.ensure_future(channel.wait_for_state_change(state.READY)) for _ in range(3)]
            call = channel.unary_unary(UU)(b"x")
            await asyncio.wait_for(begun.wait(), LIMIT)
            assert not any(change.done() for change in changes)
            stopping = asyncio.ensure_future(server.stop(LIMIT))
            await asyncio.gather(*changes)
            assert channel.get_state() is state.TRANSIENT_FAILURE
            go_on.set()
            await asyncio.gather(call, stopping)
            assert channel.get_state(try_to_connect=True) is state.TRANSIENT_FAILURE
            change = asyncio.ensure_future(channel.wait_for_state_change(state.TRANSIENT_FAILURE))
            await asyncio.sleep(0)
            await channel.close()
            await change
            assert channel.get_state() is state.SHUTDOWN

    run(main())


@pytest.mark.parametrize("first", ["server", "channel"])
def test_a_loop_closes_first(first: str) -> None:
    kept: list[Any] = []

    async def main() -> None:
        server = aio.server()
        server.add_registered_method_handlers(
            "test.Service",
            {
                "UU": grpc.unary_unary_rpc_method_handler(echo),
                "SS": grpc.stream_stream_rpc_method_handler(echo_all),
            },
        )
        await server.start()
        channel = inproc(server)
        await channel.unary_unary(UU)(b"")
        call = channel.stream_stream(SS)()
        await call.write(b"x")
        assert await call.read() == b"x"
        kept.extend([server, channel, call] if first == "server" else [channel, call, server])

    run(main(), leaves_open=True)
    while kept:
        del kept[0]
        gc.collect()


def test_what_is_dropped_goes() -> None:
    async def main() -> None:
        server = aio.server()
        server.add_registered_method_handlers(
            "test.Service", {"SS": grpc.stream_stream_rpc_method_handler(echo_all)}
        )
        await server.start()
        floor = loop_stats().residents
        channel = inproc(server)
        call = channel.stream_stream(SS)()
        await call.write(b"x")
        assert await call.read() == b"x"
        del channel, call
        await until(lambda: gc.collect() is not None and loop_stats().residents == floor)
        channel = inproc(server)
        call = channel.stream_stream(SS)()
        await call.write(b"x")
        assert await call.read() == b"x"
        del server
        gc.collect()
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        await until(lambda: channel.get_state() is grpc.ChannelConnectivity.TRANSIENT_FAILURE)
        await channel.close()

    run(main())


@pytest.mark.slow
def test_many_channels_leave_nothing() -> None:
    async def main() -> None:
        async with serving("inproc", UU=echo) as (server, _):

            async def some(count: int) -> None:
                for _ in range(count):
                    channel = inproc(server)
                    assert await channel.unary_unary(UU)(b"x") == b"x"
                    await channel.close()

            await some(1000)
            floor = loop_stats()
            files, memory = open_files(), resident_bytes()
            await some(5000)
            assert (loop_stats().handles, loop_stats().residents) == (floor.handles, floor.residents)
            assert open_files() == files
            # A server that keeps what its connections had would have some 20 MB.
            assert resident_bytes() - memory < 5_000_000

    run(main(), limit=4 * LIMIT)


# ---- mistakes


def test_a_server_must_run() -> None:
    async def main() -> None:
        server = aio.server()
        with pytest.raises(RuntimeError, match="start it before"):
            inproc(server)
        await server.start()
        channel = inproc(server)
        await server.stop(None)
        with pytest.raises(RuntimeError, match="does not run"):
            inproc(server)
        await channel.close()

    run(main())


def test_a_channel_is_for_the_loop_of_its_server() -> None:
    kept: list[Any] = []

    async def first() -> None:
        server = aio.server()
        await server.start()
        kept.extend([server, inproc(server)])

    async def second() -> None:
        with pytest.raises(RuntimeError, match="another event loop"):
            kept[1].unary_unary(UU)(b"")
        with pytest.raises(RuntimeError, match="another event loop"):
            inproc(kept[0])

    run(first(), leaves_open=True)
    run(second())
