# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Handlers begin in the delivery that brought their RPC, in tasks like any other."""

from __future__ import annotations

import asyncio
import contextvars
import gc
from typing import Any

import grpc
import pytest
import uvloop
from support import aio, echo, run, run_program, service, serving, unary

pytestmark = pytest.mark.uvgrpc_only

_ECHO = "/test.Service/Echo"


class _NotingLoop(uvloop.Loop):
    """Keeps the types of what its ready queue was given."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def call_soon(self, callback: Any, *arguments: Any, context: Any = None) -> Any:
        self.seen.append(type(callback).__name__)
        return super().call_soon(callback, *arguments, context=context)


@pytest.mark.parametrize("debug", [False, True])
def test_a_handler_begins_without_a_turn(debug: bool) -> None:
    """Except in debug mode, which times what the ready queue runs."""

    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, _NotingLoop)
        loop.set_debug(debug)
        async with (
            serving(service(Echo=unary(echo))) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            call = channel.unary_unary(_ECHO)
            await call(b"")
            loop.seen.clear()
            for _ in range(10):
                assert await call(b"x") == b"x"
            return loop.seen.copy()

    with asyncio.Runner(loop_factory=_NotingLoop) as runner:
        seen = runner.run(main())
    steps = sum("TaskStep" in name for name in seen)
    assert steps >= 10 if debug else steps == 0


def test_a_handler_has_a_task_and_a_context_of_its_own() -> None:
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable", default=-1)
    tasks: set[Any] = set()

    async def handler(request: bytes, _context: Any) -> bytes:
        assert variable.get() == 7  # start()'s
        variable.set(int(request))
        me = asyncio.current_task()
        assert me is not None
        assert me in asyncio.all_tasks()
        assert me not in tasks
        tasks.add(me)
        assert me.get_name() == "/test.Service/Own"
        if int(request) % 2:
            await asyncio.sleep(0)
            assert asyncio.current_task() is me
        assert variable.get() == int(request)
        return request

    async def main() -> None:
        variable.set(7)
        async with (
            serving(service(Own=unary(handler))) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            call = channel.unary_unary("/test.Service/Own")
            numbers = [str(number).encode() for number in range(40)]
            assert await asyncio.gather(*map(call, numbers)) == numbers
        assert variable.get() == 7

    run(main())
    assert len(tasks) == 40


def test_what_the_garbage_collector_gives_the_loop_meanwhile_goes_there() -> None:
    """Also a task that a finalizer makes, whose first step is not the handler's."""
    order: list[str] = []

    class Litter:
        def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
            self.loop, self.myself = loop, self

        def __del__(self) -> None:
            self.loop.call_soon(order.append, "plain")
            order.append("made")
            self.loop.create_task(one(), context=contextvars.copy_context())

    async def one() -> None:
        order.append("task")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with (
            serving(service(Echo=unary(echo))) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            call = channel.unary_unary(_ECHO)
            await call(b"")
            gc.collect()
            threshold = gc.get_threshold()
            # With every allocation: somewhere in the making of the task, too.
            gc.set_threshold(1)
            try:
                for _ in range(200):
                    Litter(loop)
                    assert await call(b"x") == b"x"
            finally:
                gc.set_threshold(*threshold)
            await asyncio.sleep(0.01)

    run(main())
    assert order.count("made") == order.count("plain") == order.count("task")
    assert order.count("made") >= 150


@pytest.mark.parametrize("error", ["SystemExit(3)", "KeyboardInterrupt()"])
def test_an_exit_of_a_first_step_ends_the_loop(error: str) -> None:
    program = f"""
import asyncio, sys, uvloop
from uvgrpc import aio
import grpc

async def leave(request, context):
    raise {error}

async def main():
    server = aio.server()
    handler = grpc.unary_unary_rpc_method_handler(leave)
    server.add_registered_method_handlers("t", {{"M": handler}})
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with aio.insecure_channel(f"127.0.0.1:{{port}}") as channel:
        await channel.unary_unary("/t/M")(b"")
    print("not reached")

try:
    uvloop.run(main())
except KeyboardInterrupt:
    sys.exit(3)
"""
    done = run_program(program)
    assert done.returncode == 3, done.err
    assert "not reached" not in done.out


def test_a_call_soon_of_the_programs_own_gets_what_it_always_got() -> None:
    own_call_soon: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        original = loop.call_soon

        def call_soon(callback: Any, *arguments: Any, context: Any = None) -> Any:
            own_call_soon.append(type(callback).__name__)
            return original(callback, *arguments, context=context)

        loop.call_soon = call_soon  # type: ignore[method-assign]
        async with (
            serving(service(Echo=unary(echo))) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            assert await channel.unary_unary(_ECHO)(b"x") == b"x"
        assert vars(loop)["call_soon"] is call_soon

    run(main())
    assert any("TaskStep" in name for name in own_call_soon)


def test_nothing_is_left_on_the_loop() -> None:
    async def main() -> None:
        async with (
            serving(service(Echo=unary(echo))) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            assert await channel.unary_unary(_ECHO)(b"x") == b"x"
            with pytest.raises(grpc.aio.AioRpcError):
                await channel.unary_unary("/test.Service/None")(b"x")
        assert "call_soon" not in vars(asyncio.get_running_loop())

    run(main())
