# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""write(), done_writing() and read() of calls with interceptors around them."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import grpc
import grpc.aio
import pytest
from intercepting import STREAM_STREAM, STREAM_UNARY, Arity, Peer, interceptor, passing
from intercepting import peer as peer
from support import STOCK, aio, error_of, in_time, run, unused_port

FINISHED = "RPC already finished."
HALF_CLOSED = 'RPC is half closed after calling "done_writing".'


@pytest.fixture(params=[STREAM_UNARY, STREAM_STREAM], ids=lambda arity: arity.name)
def arity(request: pytest.FixtureRequest) -> Arity:
    result: Arity = request.param
    return result


def method(channel: Any, arity: Arity, behavior: str, **codecs: Any) -> Any:
    create = getattr(channel, arity.name)
    return create(f"/intercept.Service/{arity.name}_{behavior}", **codecs)


async def tagging(continuation: Any, details: Any, requests: Any) -> Any:
    """Changes every request."""

    async def tagged() -> Any:
        async for request in requests:
            yield request.upper()

    return await continuation(details, tagged())


async def write_until_it_fails(call: Any, message: bytes = b"x") -> BaseException:
    async with asyncio.timeout(3):
        while True:
            try:
                await call.write(message)
            except Exception as error:
                return error
            await asyncio.sleep(0)


# ---- what is written


def test_what_is_written_passes_the_interceptors(arity: Arity, peer: Peer) -> None:
    async def main() -> None:
        async with peer.channel(interceptor(tagging, arity), interceptor(passing, arity)) as channel:
            call = method(channel, arity, "echo")()
            for message in (b"a", b"b", b"c"):
                await call.write(message)
            await call.done_writing()
            await call.done_writing()
            assert await arity.outcome(call) == b"A,B,C"
            assert await call.code() is grpc.StatusCode.OK

    run(main())


def test_writing_and_reading_by_turns(peer: Peer) -> None:
    async def main() -> None:
        async with peer.channel(interceptor(passing, STREAM_STREAM)) as channel:
            call = method(channel, STREAM_STREAM, "echo")()
            for number in range(20):
                await call.write(b"%d" % number)
                assert await call.read() == b"%d" % number
            await call.done_writing()
            assert await call.read() is aio.EOF
            assert await call.read() is aio.EOF
            assert await call.code() is grpc.StatusCode.OK

    run(main())


def test_nothing_written_at_all(arity: Arity, peer: Peer) -> None:
    async def main() -> None:
        async with peer.channel(interceptor(passing, arity)) as channel:
            call = method(channel, arity, "echo")()
            await call.done_writing()
            assert await arity.outcome(call) == b""

    run(main())


@pytest.mark.stock_defect("the interceptor waits for itself")
def test_an_interceptor_may_take_the_first_message(arity: Arity, peer: Peer) -> None:
    async def body(continuation: Any, details: Any, requests: Any) -> Any:
        behavior = (await anext(aiter(requests))).decode()
        name = f"/intercept.Service/{arity.name}_{behavior}"
        return await continuation(details._replace(method=name.encode()), requests)

    async def main() -> None:
        async with peer.channel(interceptor(body, arity)) as channel:
            call = method(channel, arity, "hang")()
            async with asyncio.timeout(3):
                for message in (b"echo", b"a", b"b"):
                    await call.write(message)
                await call.done_writing()
                assert await arity.outcome(call) == b"a,b"

    run(main())


@pytest.mark.parametrize("kind", ["iterator", "async iterator"])
def test_an_iterator_of_requests(arity: Arity, peer: Peer, kind: str) -> None:
    async def requests() -> Any:
        yield b"a"
        yield b"b"

    async def main() -> None:
        async with peer.channel(interceptor(passing, arity)) as channel:
            create = method(channel, arity, "echo")
            call = create([b"a", b"b"] if kind == "iterator" else requests())
            with pytest.raises(aio.UsageError):
                await call.write(b"c")
            with pytest.raises(aio.UsageError):
                await call.done_writing()
            assert await arity.outcome(call) == b"a,b"

    run(main())


# ---- when it is too late


def test_a_write_after_done_writing(arity: Arity, peer: Peer) -> None:
    async def main() -> None:
        async with peer.channel(interceptor(passing, arity)) as channel:
            call = method(channel, arity, "hang")()
            await call.write(b"a")
            await call.done_writing()
            await asyncio.sleep(0.05)
            with pytest.raises(asyncio.InvalidStateError) as caught:
                await call.write(b"b")
            assert str(caught.value) == HALF_CLOSED
            call.cancel()

    run(main())


def test_a_write_after_the_end(arity: Arity, peer: Peer) -> None:
    async def main() -> None:
        async with peer.channel(interceptor(passing, arity)) as channel:
            call = method(channel, arity, "fail")()
            # The end comes after the responses, so somebody has to read them.
            outcome = asyncio.create_task(error_of(arity.outcome(call)))
            error = await write_until_it_fails(call)
            assert isinstance(error, asyncio.InvalidStateError)
            assert str(error) == FINISHED
            # A write that fails may make grpc.aio forget the status.
            codes = [grpc.StatusCode.NOT_FOUND, *([grpc.StatusCode.INTERNAL] if STOCK else [])]
            assert (await outcome).code() in codes

    run(main())


def test_writes_fail_when_nobody_listens(arity: Arity, peer: Peer) -> None:
    async def main() -> None:
        target = f"127.0.0.1:{unused_port()}"
        async with peer.channel(interceptor(passing, arity), target=target) as channel:
            call = method(channel, arity, "echo")()
            assert isinstance(await write_until_it_fails(call), asyncio.InvalidStateError)
            assert (await error_of(arity.outcome(call))).code() is grpc.StatusCode.UNAVAILABLE

    run(main())


@pytest.mark.parametrize("writes", [0, 1, 2])
def test_a_write_after_cancel(arity: Arity, peer: Peer, writes: int) -> None:
    async def main() -> None:
        async with peer.channel(interceptor(passing, arity)) as channel:
            call = method(channel, arity, "hang")()
            for _ in range(writes):
                await call.write(b"a")
            assert call.cancel()
            with pytest.raises(asyncio.InvalidStateError) as caught:
                await call.write(b"b")
            assert str(caught.value) == FINISHED
            assert call.cancelled()
            with pytest.raises(asyncio.CancelledError):
                await arity.outcome(call)

    run(main())


def test_a_write_when_an_interceptor_raised(arity: Arity, peer: Peer) -> None:
    async def raises_own(continuation: Any, details: Any, request: Any) -> Any:
        raise ValueError("a bug")

    async def raises_status(continuation: Any, details: Any, request: Any) -> Any:
        nothing = grpc.aio.Metadata()
        raise grpc.aio.AioRpcError(grpc.StatusCode.ABORTED, nothing, nothing, "made up")

    async def main() -> None:
        for body, kind in ((raises_own, ValueError), (raises_status, asyncio.InvalidStateError)):
            async with peer.channel(interceptor(body, arity)) as channel:
                call = method(channel, arity, "echo")()
                for _ in range(2):
                    assert type(await write_until_it_fails(call)) is kind

    run(main())


@pytest.mark.stock_defect("done_writing() raises what the interceptor raised")
def test_done_writing_after_the_end_does_nothing(arity: Arity, peer: Peer) -> None:
    async def raises(continuation: Any, details: Any, request: Any) -> Any:
        raise ValueError("a bug")

    async def main() -> None:
        async with peer.channel(interceptor(raises, arity)) as channel:
            call = method(channel, arity, "echo")()
            await asyncio.sleep(0.01)
            await call.done_writing()
            assert isinstance(await write_until_it_fails(call), ValueError)

    run(main())


# ---- waiting


def test_a_write_waits_for_the_rpc_to_take_its_message(arity: Arity, peer: Peer) -> None:
    async def main() -> None:
        proceed = asyncio.Event()

        async def body(continuation: Any, details: Any, request: Any) -> Any:
            await proceed.wait()
            return await continuation(details, request)

        async with peer.channel(interceptor(body, arity)) as channel:
            call = method(channel, arity, "echo")()
            writing = asyncio.create_task(call.write(b"a"))
            await asyncio.sleep(0.02)
            assert not writing.done()
            proceed.set()
            await writing
            await call.done_writing()
            assert await arity.outcome(call) == b"a"

    run(main())


def test_back_pressure_reaches_the_writer(peer: Peer) -> None:
    async def main() -> None:
        async with peer.channel(interceptor(passing, STREAM_STREAM)) as channel:
            # The service echoes; as nobody reads, it stops reading, too.
            call = method(channel, STREAM_STREAM, "echo")()
            written = 0
            while written < 500:  # 32 MB
                writing = asyncio.create_task(call.write(bytes(65536)))
                await asyncio.wait([writing], timeout=0.5)
                if not writing.done():
                    break
                written += 1
            assert written < 500
            # It ends once there is a reader.
            while not writing.done():
                await call.read()
            call.cancel()

    run(main(), limit=30)


def test_cancelling_a_task_that_writes_cancels_the_call(arity: Arity, peer: Peer) -> None:
    async def main() -> None:
        async def body(continuation: Any, details: Any, request: Any) -> Any:
            await asyncio.Event().wait()

        async with peer.channel(interceptor(body, arity)) as channel:
            call = method(channel, arity, "echo")()
            writing = asyncio.create_task(call.write(b"a"))
            await asyncio.sleep(0.02)
            writing.cancel()
            await asyncio.wait([writing])
            assert call.cancelled()
            assert await call.code() is grpc.StatusCode.CANCELLED

    run(main())


@pytest.mark.uvgrpc_only  # grpc.aio sends an empty message instead
def test_an_unserializable_message_is_an_error_at_once(arity: Arity, peer: Peer) -> None:
    def refuse(request: bytes) -> bytes:
        raise TypeError("not this")

    async def main() -> None:
        async with peer.channel(interceptor(passing, arity)) as channel:
            call = method(channel, arity, "echo", request_serializer=refuse)()
            started = time.monotonic()
            await call.write(b"a")
            error = await error_of(arity.outcome(call))
            assert error.code() is grpc.StatusCode.INTERNAL
            in_time(started, 0.05)
            assert isinstance(await write_until_it_fails(call), asyncio.InvalidStateError)

    run(main())
