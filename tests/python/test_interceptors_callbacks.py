# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Intercepted calls: what done callbacks raise, and what they see."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from typing import Any

import grpc
import pytest
from intercepting import STREAM_STREAM, UNARY_STREAM, UNARY_UNARY, Arity, Peer, interceptor
from intercepting import arity as arity
from intercepting import peer as peer
from support import aio, run, run_program, until

pytestmark = pytest.mark.uvgrpc_only

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="nothing")


async def by_rpc(continuation: Any, details: Any, request: Any) -> Any:
    return await continuation(details, request)


async def by_itself(continuation: Any, details: Any, request: Any) -> Any:
    return b"made up"


async def by_raising(continuation: Any, details: Any, request: Any) -> Any:
    raise aio.AioRpcError(grpc.StatusCode.NOT_FOUND, aio.Metadata(), aio.Metadata(), "made up")


def interrupt() -> None:
    raise KeyboardInterrupt


ways = pytest.mark.parametrize("body", [by_rpc, by_itself, by_raising])


@ways
@pytest.mark.parametrize("error", [ValueError("x"), asyncio.CancelledError("x")], ids=repr)
def test_what_a_done_callback_raises_is_told_and_the_others_run(body: Any, error: Any, peer: Peer) -> None:
    async def main() -> None:
        told: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["exception"]))

        def fail(_: Any) -> None:
            raise error

        async with peer.channel(interceptor(body, UNARY_UNARY)) as channel:
            done: list[Any] = []
            call = UNARY_UNARY.method(channel, "echo")(b"a")
            call.add_done_callback(fail)
            call.add_done_callback(done.append)
            await call.code()
            await until(lambda: done)
            assert told == [error]
            assert done == [call]
            # As the call goes on to hold the error's frames, and these the call.
            told.clear()
            error.__traceback__ = None

    run(main())


_EXITS = """
from intercepting import UNARY_UNARY, interceptor
import test_interceptors_callbacks as ways

async def main():
    async with serving(grpc.method_handlers_generic_handler(
        "intercept.Service", {{"unary_unary_echo": unary(echo)}}
    )) as running:
        async with aio.insecure_channel(
            running.target, interceptors=[interceptor(ways.{body}, UNARY_UNARY)]
        ) as channel:
            call = UNARY_UNARY.method(channel, "echo")(b"a")
            call.add_done_callback(lambda _: {leave})
            call.add_done_callback(lambda _: seen.append("behind"))
            try:
                await asyncio.sleep(30)
            finally:
                seen.append("end")

seen = []
try:
    uvloop.run(main())
except (SystemExit, KeyboardInterrupt) as error:
    seen.append(type(error).__name__)
print(json.dumps(seen))
"""


@pytest.mark.parametrize("body", ["by_rpc", "by_itself", "by_raising"])
@pytest.mark.parametrize(
    ("leave", "kind"),
    [("sys.exit(3)", "SystemExit"), ("ways.interrupt()", "KeyboardInterrupt")],
)
def test_leaving_the_program_from_a_done_callback(body: str, leave: str, kind: str) -> None:
    """As from any callback of the loop: it ends, and nothing that was to run is lost."""
    outcome = run_program(_EXITS.format(body=body, leave=leave), limit=60)
    assert outcome.result == ["behind", "end", kind]


@ways
def test_a_done_callback_sees_the_context_it_was_added_in(body: Any, peer: Peer) -> None:
    async def main() -> None:
        seen: list[str] = []
        async with peer.channel(interceptor(body, UNARY_UNARY)) as channel:
            call = UNARY_UNARY.method(channel, "echo")(b"a")
            for value in ("first", "second"):
                variable.set(value)
                call.add_done_callback(lambda _: (seen.append(variable.get()), variable.set("leaked")))
            variable.set("later")
            await call.code()
            await until(lambda: len(seen) == 2)
            assert seen == ["first", "second"]
            assert variable.get() == "later"

    run(main())


def test_the_error_string_of_a_call_that_succeeds_is_empty(arity: Arity, peer: Peer) -> None:
    async def main() -> None:
        for interceptors in ([], [interceptor(by_rpc, arity)]):
            async with peer.channel(*interceptors) as channel:
                call = arity.method(channel, "echo")(b"a")
                await arity.outcome(call)
                assert await call.debug_error_string() == ""

    run(main())


# ---- generators that a cancel finds at a `yield`


def _wrapping(log: list[str]) -> Any:
    async def responses(call: Any) -> Any:
        try:
            async for response in call:
                yield response
            log.append("ended")
        except asyncio.CancelledError:
            log.append("cancelled")
            raise
        finally:
            await asyncio.sleep(0)
            log.append("closed")

    async def body(continuation: Any, details: Any, request: Any) -> Any:
        return responses(await continuation(details, request))

    return body


stream_responses = pytest.mark.parametrize(
    "arity", [UNARY_STREAM, STREAM_STREAM], ids=lambda arity: arity.name
)


@stream_responses
@pytest.mark.parametrize("depth", [1, 2])
def test_a_cancel_closes_a_generator_that_nobody_reads_on(arity: Arity, depth: int, peer: Peer) -> None:
    async def main() -> None:
        log: list[str] = []
        wrapping = [interceptor(_wrapping(log), arity) for _ in range(depth)]
        async with peer.channel(*wrapping) as channel:
            call = arity.method(channel, "hang")(b"a,b")
            assert await call.read() == b"a"
            assert call.cancel()
            await until(lambda: log == ["closed"] * depth, 5)
            assert await call.code() is grpc.StatusCode.CANCELLED
            with pytest.raises(asyncio.CancelledError):
                await call.read()
            assert not call.cancel()

    run(main())


@stream_responses
def test_who_reads_on_after_a_cancel_has_the_generator_see_it(arity: Arity, peer: Peer) -> None:
    async def main() -> None:
        log: list[str] = []
        async with peer.channel(interceptor(_wrapping(log), arity)) as channel:
            call = arity.method(channel, "hang")(b"a,b")
            seen = []
            with contextlib.suppress(asyncio.CancelledError):
                async for message in call:
                    seen.append(message)
                    assert call.cancel()
                seen.append("the end")
            assert seen == [b"a"]
            assert log == ["cancelled", "closed"]

    run(main())


@stream_responses
def test_a_cancel_reaches_a_generator_that_waits(arity: Arity, peer: Peer) -> None:
    async def main() -> None:
        log: list[str] = []
        async with peer.channel(interceptor(_wrapping(log), arity)) as channel:
            call = arity.method(channel, "hang")(b"a")
            assert await call.read() == b"a"
            reading = asyncio.create_task(call.read())
            await asyncio.sleep(0.02)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            assert log == ["cancelled", "closed"]

    run(main())


@stream_responses
def test_dropping_a_call_closes_its_generator(arity: Arity, peer: Peer) -> None:
    async def main() -> None:
        log: list[str] = []
        async with peer.channel(interceptor(_wrapping(log), arity)) as channel:
            call = arity.method(channel, "hang")(b"a,b")
            assert await call.read() == b"a"
            del call
            await until(lambda: log == ["closed"], 5)

    run(main())


@stream_responses
def test_closing_the_channel_closes_the_generators_of_its_calls(arity: Arity, peer: Peer) -> None:
    async def main() -> None:
        log: list[str] = []
        channel = peer.channel(interceptor(_wrapping(log), arity))
        call = arity.method(channel, "hang")(b"a,b")
        assert await call.read() == b"a"
        await channel.close()
        await until(lambda: log == ["closed"], 5)

    run(main())


def test_a_made_up_stream_without_an_rpc_is_closed_too(peer: Peer) -> None:
    async def main() -> None:
        log: list[str] = []

        async def responses() -> Any:
            try:
                yield b"a"
                yield b"b"
            finally:
                log.append("closed")

        async def body(continuation: Any, details: Any, request: Any) -> Any:
            return responses()

        async with peer.channel(interceptor(body, UNARY_STREAM)) as channel:
            call = UNARY_STREAM.method(channel, "hang")(b"a")
            assert await call.read() == b"a"
            assert call.cancel()
            await until(lambda: log == ["closed"], 5)

    run(main())


def test_a_generator_that_raises_while_it_is_closed_is_logged(
    peer: Peer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        async def responses(call: Any) -> Any:
            try:
                async for response in call:
                    yield response
            finally:
                raise ValueError("at the end")

        async def body(continuation: Any, details: Any, request: Any) -> Any:
            return responses(await continuation(details, request))

        async with peer.channel(interceptor(body, UNARY_STREAM)) as channel:
            call = UNARY_STREAM.method(channel, "hang")(b"a,b")
            assert await call.read() == b"a"
            assert call.cancel()
            await until(lambda: "at the end" in caplog.text, 5)

    run(main())
