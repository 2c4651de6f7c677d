# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Who an intercepted call tells of its end, and what is left when nobody holds it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import grpc
import grpc.aio
import pytest
from intercepting import STREAM_STREAM, UNARY_UNARY, Arity, Peer, interceptor, passing
from intercepting import arity as arity
from intercepting import peer as peer
from support import error_of, run, run_program, until

# ---- done callbacks


@pytest.mark.parametrize("behavior", ["echo", "fail"])
def test_a_done_callback_gets_the_call(arity: Arity, peer: Peer, behavior: str) -> None:
    async def main() -> None:
        proceed = asyncio.Event()

        async def body(continuation: Any, details: Any, request: Any) -> Any:
            await proceed.wait()
            return await continuation(details, request)

        async with peer.channel(interceptor(body, arity)) as channel:
            done: list[Any] = []
            states: list[Any] = []
            call = arity.method(channel, behavior)(b"1")
            call.add_done_callback(done.append)
            call.add_done_callback(lambda call: states.append((call.done(), call.cancelled())))
            await asyncio.sleep(0.01)
            assert done == []
            proceed.set()
            with contextlib.suppress(grpc.aio.AioRpcError):
                await arity.outcome(call)
            await until(lambda: states)
            assert done == [call]
            assert states == [(True, False)]
            call.add_done_callback(done.append)
            assert done == [call, call]  # at once

    run(main())


def test_a_done_callback_waits_for_the_rpc_not_for_interceptors(arity: Arity, peer: Peer) -> None:
    async def main() -> None:
        async with peer.channel(interceptor(passing, arity)) as channel:
            done: list[Any] = []
            call = arity.method(channel, "hang")(b"1")
            call.add_done_callback(done.append)
            await asyncio.sleep(0.1)
            call.add_done_callback(done.append)
            assert done == []
            call.cancel()
            await until(lambda: done)
            assert done == [call, call]

    run(main())


@pytest.mark.uvgrpc_only  # grpc.aio leaves the rest out, silently
def test_a_done_callback_that_raises_does_not_keep_others_from_running(peer: Peer) -> None:
    reports: list[Any] = []

    def raises(call: Any) -> None:
        raise ValueError("a bug")

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))
        async with peer.channel(interceptor(passing, UNARY_UNARY)) as channel:
            done: list[Any] = []
            call = UNARY_UNARY.method(channel, "echo")(b"1")
            call.add_done_callback(raises)
            call.add_done_callback(done.append)
            assert await call == b"1"
            await until(lambda: done)
        assert [str(report["exception"]) for report in reports] == ["a bug"]

    run(main())


def test_instrumentation_that_asks_for_the_code_first(arity: Arity, peer: Peer) -> None:
    """What OpenTelemetry, Sentry and Datadog do with calls of one response."""
    spans: list[Any] = []

    async def body(continuation: Any, details: Any, request: Any) -> Any:
        metadata = grpc.aio.Metadata(*tuple(details.metadata))
        metadata["x-trace"] = "1"
        call = await continuation(details._replace(metadata=metadata), request)
        if arity.streams_responses:
            return traced(call)
        code = await call.code()
        call.add_done_callback(lambda response: spans.append((code, response.done())))
        return call

    async def traced(call: Any) -> Any:
        try:
            async for response in call:
                yield response
        finally:
            spans.append((await call.code(), call.done()))

    async def main() -> None:
        async with peer.channel(interceptor(body, arity)) as channel:
            call = arity.method(channel, "echo")(b"1,2")
            assert await arity.outcome(call) == b"1,2"
            assert (await call.trailing_metadata())["x-trace"] == "1"
            failing = arity.method(channel, "fail")(b"1")
            assert (await error_of(arity.outcome(failing))).code() is grpc.StatusCode.NOT_FOUND
            await until(lambda: len(spans) == 2)
            assert spans == [(grpc.StatusCode.OK, True), (grpc.StatusCode.NOT_FOUND, True)]

    run(main())


# ---- dropped calls


@contextlib.contextmanager
def no_garbage_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.mark.uvgrpc_only  # grpc.aio's calls hold themselves; see row 5 of its complaints
@pytest.mark.parametrize("stage", ["before", "beside", "after"])
def test_a_dropped_call_is_cancelled_at_once(arity: Arity, peer: Peer, stage: str) -> None:
    interrupted = []

    async def main() -> None:
        async def body(continuation: Any, details: Any, request: Any) -> Any:
            try:
                if stage == "before":
                    await asyncio.Event().wait()
                call = await continuation(details, request)
                if stage == "beside":
                    await asyncio.Event().wait()
                return call
            except asyncio.CancelledError:
                interrupted.append(stage)
                raise

        async with peer.channel(interceptor(body, arity)) as channel:
            with no_garbage_collection():
                async with peer.cancels(0 if stage == "before" else 1):
                    call = arity.method(channel, "hang")(b"1")
                    reference = weakref.ref(call)
                    await asyncio.sleep(0.1)
                    del call
                    assert reference() is None
                    await asyncio.sleep(0.01)
                    assert interrupted == ([] if stage == "after" else [stage])

    run(main())


@pytest.mark.uvgrpc_only
@pytest.mark.parametrize("behavior", ["echo", "fail"])
@pytest.mark.parametrize("awaits", [False, True], ids=["passes", "awaits"])
def test_a_call_that_is_over_leaves_no_cycle(arity: Arity, peer: Peer, behavior: str, awaits: bool) -> None:
    async def body(continuation: Any, details: Any, request: Any) -> Any:
        call = await continuation(details, request)
        if awaits and not arity.streams_responses:
            await call
        return call

    async def use(call: Any) -> None:
        # The frame is in the traceback, and holds the call.
        with contextlib.suppress(grpc.aio.AioRpcError):
            await arity.outcome(call)

    async def main() -> None:
        async with peer.channel(interceptor(body, arity)) as channel:
            method = arity.method(channel, behavior)
            with no_garbage_collection():
                call = method(b"1")
                call.add_done_callback(lambda _: None)
                reference = weakref.ref(call)
                await use(call)
                await asyncio.sleep(0.01)
                del call
                assert reference() is None

    run(main())


@pytest.mark.uvgrpc_only
def test_a_stream_that_is_dropped_halfway_is_cancelled(arity: Arity, peer: Peer) -> None:
    if not arity.streams_responses:
        pytest.skip("about streams of responses")

    async def main() -> None:
        async def tagged(call: Any) -> Any:
            async for response in call:
                yield response.upper()

        async def wrapping(continuation: Any, details: Any, request: Any) -> Any:
            return tagged(await continuation(details, request))

        for body in (passing, wrapping):
            async with peer.channel(interceptor(body, arity)) as channel:
                with no_garbage_collection():
                    async with peer.cancels():
                        async for response in arity.method(channel, "hang")(b"a"):
                            assert response == (b"a" if body is passing else b"A")
                            break

    run(main())


@pytest.mark.uvgrpc_only
def test_done_callbacks_of_a_dropped_call_run(peer: Peer) -> None:
    async def main() -> None:
        async def body(continuation: Any, details: Any, request: Any) -> Any:
            await asyncio.Event().wait()

        async with peer.channel(interceptor(body, UNARY_UNARY)) as channel:
            done: list[bool] = []
            call = UNARY_UNARY.method(channel, "echo")(b"1")
            call.add_done_callback(lambda call: done.append(call.cancelled()))
            await asyncio.sleep(0.01)
            del call
            await until(lambda: done)
            assert done == [True]

    run(main())


@pytest.mark.uvgrpc_only
def test_a_call_may_be_dropped_in_another_thread(peer: Peer) -> None:
    async def main() -> None:
        async with peer.channel(interceptor(passing, STREAM_STREAM)) as channel, peer.cancels():
            calls = [STREAM_STREAM.method(channel, "hang")(b"1")]
            await asyncio.sleep(0.1)
            thread = threading.Thread(target=calls.clear)
            thread.start()
            thread.join()

    run(main())


@pytest.mark.uvgrpc_only
def test_a_program_may_end_with_intercepted_calls() -> None:
    outcome = run_program(
        """
        class Waiting(grpc.aio.UnaryUnaryClientInterceptor):
            async def intercept_unary_unary(self, continuation, details, request):
                call = await continuation(details, request)
                await call
                return call

        kept = []

        async def main():
            channel = aio.insecure_channel("127.0.0.1:1", interceptors=[Waiting()])
            method = channel.unary_unary("/test.Service/Method")
            kept.append(method(b"1", wait_for_ready=True))
            kept.append(channel)
            await asyncio.sleep(0.05)

        uvloop.run(main())
        print(kept[0].done(), kept[0].cancelled())
        """.replace("\n        ", "\n")
    )
    assert (outcome.returncode, outcome.err) == (0, "")
    assert outcome.out == "True True\n"
