# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""A state machine over channels, calls, forks and loops: whatever the order, all that is awaited ends.

UVGRPC_MACHINE_EXAMPLES is the number of sequences; with it they are new ones every time. Hypothesis prints
the shortest sequence that fails.
"""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import grpc
import grpc.aio
import pytest
import uvloop
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from support import aio

from uvgrpc import loop_stats

pytestmark = pytest.mark.uvgrpc_only

EXAMPLES = int(os.environ.get("UVGRPC_MACHINE_EXAMPLES", "0"))
ARITIES = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
WAYS = ("echo", "hang", "abort", "early", "slow")
# What the calls of a machine that does everything in any order may say.
EXPECTED = (grpc.aio.AioRpcError, grpc.aio.UsageError, asyncio.InvalidStateError, asyncio.CancelledError)
# What is not over by then never will be.
LIMIT = 20.0


async def _behave(request: Any, context: Any) -> Any:
    way = dict(context.invocation_metadata())["way"]
    if way == "hang":
        await asyncio.Event().wait()
    if way == "abort":
        await context.abort(grpc.StatusCode.ABORTED, "as asked")
    if way == "slow":
        await asyncio.sleep(0.002)
    if isinstance(request, bytes) or way == "early":
        return request if isinstance(request, bytes) else b""
    return b"".join([message async for message in request])


async def _behave_streaming(request: Any, context: Any) -> AsyncIterator[bytes]:
    if isinstance(request, bytes):
        for _ in range(3):
            yield await _behave(request, context)
        return
    async for message in request:
        yield await _behave(message, context)


_SERVICE = grpc.method_handlers_generic_handler(
    "test.Service",
    {
        "unary_unary": grpc.unary_unary_rpc_method_handler(_behave),
        "unary_stream": grpc.unary_stream_rpc_method_handler(_behave_streaming),
        "stream_unary": grpc.stream_unary_rpc_method_handler(_behave),
        "stream_stream": grpc.stream_stream_rpc_method_handler(_behave_streaming),
    },
)


class Machine(RuleBasedStateMachine):
    """Channels to a server on the same loop, which may close under all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.loop: uvloop.Loop | None = None
        self.channels: list[Any] = []
        self.calls: list[Any] = []
        self._open_loop()

    def _run(self, main: Coroutine[Any, Any, Any], limit: float = LIMIT) -> Any:
        async def limited() -> Any:
            async with asyncio.timeout(limit):
                return await main

        assert self.loop is not None
        return self.loop.run_until_complete(limited())

    def _open_loop(self) -> None:
        self.loop = uvloop.new_event_loop()
        asyncio.set_event_loop(self.loop)

        async def serve() -> None:
            self.server = aio.server()
            self.server.add_generic_rpc_handlers((_SERVICE,))
            self.port = self.server.add_insecure_port("127.0.0.1:0")
            await self.server.start()

        self._run(serve())

    def _close_loop(self) -> None:
        assert self.loop is not None
        native = self.loop._uvgrpc_loop

        # As asyncio.run() does before it closes.
        async def cancel_tasks() -> None:
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert self.loop is not None
            await self.loop.shutdown_asyncgens()

        self._run(cancel_tasks())
        self.loop.close()
        asyncio.set_event_loop(None)
        self.loop = None
        assert native.handle_count == 0, native.describe_handles()
        assert all(call.done() for call in self.calls)

    def _of(self, things: list[Any], number: int) -> Any:
        return things[number % len(things)]

    async def _try(self, awaitable: Any, patience: float = 0.005) -> None:
        """Waits for a while for something that need not come yet."""
        try:
            async with asyncio.timeout(patience):
                await awaitable
        except (TimeoutError, *EXPECTED):
            pass

    # ---- channels

    @rule(reachable=st.integers(0, 5))
    def open_channel(self, reachable: int) -> None:
        target = f"127.0.0.1:{self.port if reachable else 1}"

        async def open_it() -> None:
            self.channels.append(aio.insecure_channel(target))

        self._run(open_it())

    @precondition(lambda self: self.channels)
    @rule(number=st.integers(0, 9), grace=st.sampled_from((None, 0.0, 0.005)))
    def close_channel(self, number: int, grace: float | None) -> None:
        channel = self.channels.pop(number % len(self.channels))
        self._run(channel.close(grace))

    @precondition(lambda self: self.channels)
    @rule(number=st.integers(0, 9))
    def drop_channel(self, number: int) -> None:
        del self.channels[number % len(self.channels)]

    # ---- calls

    @precondition(lambda self: self.channels)
    @rule(
        number=st.integers(0, 9),
        arity=st.sampled_from(ARITIES),
        way=st.sampled_from(WAYS),
        timeout=st.sampled_from((None, None, 0, 0.001, 0.05, 30.0)),
        size=st.sampled_from((0, 1, 1000, 70_000)),
    )
    def call(self, number: int, arity: str, way: str, timeout: float | None, size: int) -> None:
        channel = self._of(self.channels, number)

        async def start() -> None:
            request = () if arity.startswith("stream") else (bytes(size),)
            method = getattr(channel, arity)(f"/test.Service/{arity}")
            self.calls.append(method(*request, timeout=timeout, metadata=(("way", way),)))

        self._run(start())

    @precondition(lambda self: self.calls)
    @rule(number=st.integers(0, 9), size=st.sampled_from((0, 1, 70_000)), count=st.integers(1, 20))
    def write(self, number: int, size: int, count: int) -> None:
        call = self._of(self.calls, number)

        async def write_them() -> None:
            for _ in range(count):
                await call.write(bytes(size))

        if hasattr(call, "write"):
            self._run(self._try(write_them()))

    @precondition(lambda self: self.calls)
    @rule(number=st.integers(0, 9))
    def half_close(self, number: int) -> None:
        call = self._of(self.calls, number)
        if hasattr(call, "done_writing"):
            self._run(self._try(call.done_writing()))

    @precondition(lambda self: self.calls)
    @rule(number=st.integers(0, 9))
    def read(self, number: int) -> None:
        call = self._of(self.calls, number)
        if hasattr(call, "read"):
            self._run(self._try(call.read()))

    @precondition(lambda self: self.calls)
    @rule(number=st.integers(0, 9))
    def wait(self, number: int) -> None:
        call = self._of(self.calls, number)
        self._run(self._try(asyncio.shield(call.code())))

    @precondition(lambda self: self.calls)
    @rule(number=st.integers(0, 9))
    def cancel(self, number: int) -> None:
        call = self._of(self.calls, number)

        async def cancel_it() -> None:
            call.cancel()

        self._run(cancel_it())

    @precondition(lambda self: self.calls)
    @rule(number=st.integers(0, 9))
    def drop_call(self, number: int) -> None:
        del self.calls[number % len(self.calls)]

    @rule(turns=st.integers(0, 5))
    def turn(self, turns: int) -> None:
        async def spin() -> None:
            for _ in range(turns):
                await asyncio.sleep(0)

        self._run(spin())

    @rule()
    def collect(self) -> None:
        gc.collect()

    # ---- processes and loops

    @precondition(lambda self: self.channels or self.calls)
    @rule(drops=st.booleans())
    def fork(self, drops: bool) -> None:
        """A child that lets go of all, or of nothing, and makes a call of its own."""
        child = os.fork()
        if child == 0:
            code = 1
            try:
                if drops:
                    self.calls.clear()
                    self.channels.clear()
                    gc.collect()
                uvloop.run(_call_of_ones_own())
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    @rule(keeps=st.booleans())
    def next_loop(self, keeps: bool) -> None:
        """The loop closes under everything; channels go on on the next one, to nowhere."""
        self._close_loop()
        self.calls.clear()
        if not keeps:
            self.channels.clear()
        self._open_loop()

    # ---- the end

    def teardown(self) -> None:
        if self.loop is None:
            return

        async def end_of(call: Any) -> None:
            call.cancel()
            await call.code()
            await call.trailing_metadata()

        async def end() -> None:
            # A call keeps its channel, so none may be left in a variable.
            while self.calls:
                await end_of(self.calls.pop())
            for channel in self.channels:
                await channel.close()
            self.channels.clear()
            await self.server.stop(None)
            del self.server
            while loop_stats().residents:
                gc.collect()
                await asyncio.sleep(0.002)

        self._run(end())
        self._close_loop()


async def _call_of_ones_own() -> None:
    server = aio.server()
    server.add_generic_rpc_handlers((_SERVICE,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with asyncio.timeout(LIMIT), aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        method = channel.unary_unary("/test.Service/unary_unary")
        assert await method(b"x", metadata=(("way", "echo"),)) == b"x"
    await server.stop(None)


@pytest.mark.slow
def test_everything_ends_in_any_order() -> None:
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=EXAMPLES or 20,
            stateful_step_count=40,
            derandomize=not EXAMPLES,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
