# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What users of grpc.aio complain of, and what is different here. See docs/differences.md."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import Any

import grpc
import pytest
from rig import (
    ARITIES,
    Hang,
    arities,
    before_each,
    echo_of,
    failure_of,
    looped,
    result_of,
    us,
    uu,
    wired,
)
from support import aio, run_program, until


def _sockets() -> set[str]:
    """The sockets of this process."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            target = os.readlink(f"/proc/self/fd/{name}")
            if target.startswith("socket:"):
                found.add(target)
    return found


# ---- row 6


@pytest.mark.stock_defect("#42125: calls that are over, but kept, keep their connection")
@looped
async def test_closing_a_channel_whose_readers_were_cancelled_leaves_no_connection() -> None:
    async with wired(Hang().of("stream_stream")) as wire:
        await wire.channel.channel_ready()
        await asyncio.sleep(0.01)
        before = _sockets()
        channel = aio.insecure_channel(wire.target, options=(("grpc.use_local_subchannel_pool", 1),))
        calls = [wire.method(channel=channel)() for _ in range(20)]
        readers = [asyncio.create_task(call.read()) for call in calls]
        await channel.channel_ready()
        await asyncio.sleep(0.02)
        assert _sockets() > before
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        await channel.close()
        await until(lambda: _sockets() <= before, 3)


# ---- row 11


@arities
@pytest.mark.stock_defect("#43502: the message of task.cancel() is lost, by some arities", strict=False)
@looped
async def test_the_message_of_a_tasks_cancel_is_kept(arity: str) -> None:
    hang = Hang()
    async with wired(hang.of(arity)) as wire:

        async def wait() -> None:
            await result_of(wire())

        task = asyncio.create_task(wait())
        await hang.entered.wait()
        task.cancel("why")
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        assert caught.value.args == ("why",)


# ---- row 12


@arities
@pytest.mark.stock_defect("#31227: a local cancel may be told as an AioRpcError", strict=False)
@looped
async def test_a_cancel_at_any_moment_leaves_everything_in_order(arity: str) -> None:
    """While the request goes out, the handler runs, messages arrive, the call ends."""

    async def some(_context: Any) -> None:
        await asyncio.sleep(0)

    async with wired(before_each(arity, some)) as wire:

        async def use(turns: int) -> str:
            call = wire()
            task = asyncio.ensure_future(_outcome(call))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel() if turns % 2 else call.cancel()
            return await task

        outcomes = set()
        for turns in range(60):
            outcomes |= set(await asyncio.gather(*(use((turns * 7 + n) % 60) for n in range(5))))
        assert outcomes <= {"response", "cancelled"}
        assert await result_of(wire()) == b"request"


async def _outcome(call: Any) -> str:
    try:
        response = await result_of(call)
    except asyncio.CancelledError:
        return "cancelled"
    # An iteration that is cancelled between two messages may end early.
    return "response" if response in (b"request", b"") else repr(response)


# ---- rows 13 and 14


class EveryArity(
    aio.UnaryUnaryClientInterceptor,
    aio.UnaryStreamClientInterceptor,
    aio.StreamUnaryClientInterceptor,
    aio.StreamStreamClientInterceptor,
):
    """One interceptor of all four kinds."""

    def __init__(self) -> None:
        self.hits: list[str] = []

    async def _next(self, arity: str, continuation: Any, details: Any, request: Any) -> Any:
        assert type(details.method) is bytes
        self.hits.append(arity)
        return await continuation(details, request)

    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        return await self._next("unary_unary", continuation, details, request)

    async def intercept_unary_stream(self, continuation: Any, details: Any, request: Any) -> Any:
        return await self._next("unary_stream", continuation, details, request)

    async def intercept_stream_unary(self, continuation: Any, details: Any, requests: Any) -> Any:
        return await self._next("stream_unary", continuation, details, requests)

    async def intercept_stream_stream(self, continuation: Any, details: Any, requests: Any) -> Any:
        return await self._next("stream_stream", continuation, details, requests)


@pytest.mark.stock_defect("#40946, #34537: an interceptor of several kinds is used for the first only")
@looped
async def test_an_interceptor_of_several_kinds_is_used_for_all() -> None:
    interceptor = EveryArity()
    methods = {arity: echo_of(arity) for arity in ARITIES}
    async with wired(methods=methods, interceptors=[interceptor]) as wire:
        for arity in ARITIES:
            request = [b"x"] if arity.startswith("stream") else b"x"
            assert await result_of(wire.method(arity)(request)) == b"x"
    assert interceptor.hits == list(ARITIES)


async def _passing(arity: str) -> Any:
    """A channel interceptor of one arity, which grpc.aio handles."""
    kind = "".join(part.title() for part in arity.split("_"))
    base = getattr(aio, f"{kind}ClientInterceptor")

    async def intercept(self: Any, continuation: Any, details: Any, request: Any) -> Any:
        return await continuation(details, request)

    return type("Passing", (base,), {f"intercept_{arity}": intercept})()


@arities
@pytest.mark.stock_defect("#40998: time_remaining() of an intercepted call is not implemented")
@looped
async def test_an_intercepted_call_tells_the_time_that_remains(arity: str) -> None:
    async with wired(echo_of(arity), interceptors=[await _passing(arity)]) as wire:
        call = wire(timeout=20)
        await result_of(call)
        remaining = call.time_remaining()
        assert remaining is not None
        assert 0 < remaining <= 20


@arities
@looped
async def test_an_intercepted_call_is_a_call(arity: str) -> None:
    async with wired(echo_of(arity), interceptors=[await _passing(arity)]) as wire:
        call = wire()
        seen: list[Any] = []
        call.add_done_callback(seen.append)
        assert await result_of(call) == b"request"
        assert await call.code() is grpc.StatusCode.OK
        await until(lambda: seen)
        assert isinstance(call, aio.Call)


@looped
async def test_a_plain_response_of_an_interceptor_takes_done_callbacks() -> None:
    class Answering(aio.UnaryUnaryClientInterceptor):
        async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
            return b"answered"

    async with wired(echo_of("unary_unary"), interceptors=[Answering()]) as wire:
        call = wire(timeout=20)
        assert await call == b"answered"
        seen: list[Any] = []
        call.add_done_callback(seen.append)
        await until(lambda: seen, 1)
        assert seen == [call]


# ---- row 16


@pytest.mark.stock_defect(
    "#37239: calls that a stopping server has not looked at end as CANCELLED", strict=False
)
@looped
async def test_a_stop_under_load_lets_what_was_accepted_finish() -> None:
    """Nothing ends as CANCELLED: a call is answered, or refused as UNAVAILABLE."""

    async def work(request: bytes, context: Any) -> bytes:
        await asyncio.sleep(0.02)
        return request

    async with wired(uu(work)) as wire:
        await wire.channel.channel_ready()
        calls = [wire(b"%d" % number) for number in range(100)]
        await asyncio.sleep(0.005)
        stop = asyncio.create_task(wire.server.stop(5))
        late = [wire(b"late") for _ in range(20)]
        codes = [await call.code() for call in calls]
        await stop
        assert set(codes) <= {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}
        assert grpc.StatusCode.OK in codes
        assert grpc.StatusCode.CANCELLED not in {await call.code() for call in late}


# ---- row 18


_TWICE = """
import asyncio, json
import grpc, uvloop
from rig import uu, wired
from support import aio

channel = aio.insecure_channel("TARGET")
method = channel.unary_unary("/peer.Service/Echo")

async def main():
    return (await method(b"x", timeout=10)).decode()

print(json.dumps([uvloop.run(main()) for _ in range(2)]))
"""


@pytest.mark.stock_defect("#32480: a channel belongs to the loop that was there when it was made")
def test_a_channel_made_at_import_serves_one_loop_after_another(stock_port: int) -> None:
    outcome = run_program(_TWICE.replace("TARGET", f"127.0.0.1:{stock_port}"), limit=30)
    assert outcome.result == ["x", "x"]


# ---- row 37


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    head = len(payload).to_bytes(3, "big") + bytes((kind, flags))
    return head + stream.to_bytes(4, "big") + payload


def _field(name: bytes, value: bytes) -> bytes:
    """A header field in HPACK, literal and not indexed."""
    return b"\x00" + bytes((len(name),)) + name + bytes((len(value),)) + value


@pytest.mark.pool_threads
@pytest.mark.stock_defect("a path that is not UTF-8 shuts the whole server down")
@looped
async def test_a_path_that_is_not_utf8_fails_one_call_only() -> None:
    async with wired(echo_of("unary_unary")) as wire:
        reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
        headers = b"".join(
            _field(*field)
            for field in (
                (b":method", b"POST"),
                (b":scheme", b"http"),
                (b":path", b"/test.Service/\xff\xfe"),
                (b":authority", b"test"),
                (b"content-type", b"application/grpc"),
                (b"te", b"trailers"),
            )
        )
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        writer.write(preface + _frame(4, 0, 0, b"") + _frame(1, 4, 1, headers) + _frame(0, 1, 1, bytes(5)))
        stream = 0
        while stream != 1:
            head = await asyncio.wait_for(reader.readexactly(9), 2)
            await reader.readexactly(int.from_bytes(head[:3], "big"))
            stream = int.from_bytes(head[5:9], "big")
        writer.close()
        await writer.wait_closed()
        assert await wire(timeout=2) == b"request"


# ---- found here


@looped
async def test_a_stream_may_be_read_by_tasks_one_after_another() -> None:
    async def three(request: bytes, context: Any) -> Any:
        for message in (b"1", b"2", b"3"):
            yield message

    async with wired(us(three)) as wire:
        call = wire()
        for expected in (b"1", b"2", b"3"):
            assert await asyncio.create_task(call.read()) == expected


@looped
async def test_errors_of_many_calls_at_once_are_their_own() -> None:
    async def behavior(request: bytes, context: Any) -> bytes:
        await context.abort(grpc.StatusCode.ABORTED, request.decode())
        return b""

    async with wired(uu(behavior)) as wire:
        errors = await asyncio.gather(*(failure_of(wire(b"%d" % n)) for n in range(100)))
        assert [error.details() for error in errors] == [str(n) for n in range(100)]
