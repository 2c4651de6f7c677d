# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What tasks wait for: they go on in the delivery, and are none the wiser."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from support import aio, echo, run, run_program, service, serving, unary

pytestmark = pytest.mark.uvgrpc_only


async def _slow(request: bytes, _context: Any) -> bytes:
    await asyncio.sleep(30)
    return request


async def _echoes(requests: AsyncIterator[bytes], _context: Any) -> AsyncIterator[bytes]:
    async for request in requests:
        yield request


_SERVICE = service(Echo=unary(echo), Slow=unary(_slow), Echoes=grpc.stream_stream_rpc_method_handler(_echoes))


def test_a_reply_resumes_its_task_in_the_delivery() -> None:
    """Between the reply and what the task does next there is no turn of the loop."""

    async def main() -> None:
        async with serving(_SERVICE) as running, aio.insecure_channel(running.target) as channel:
            call = channel.unary_unary("/test.Service/Echo")
            await call(b"")
            loop = asyncio.get_running_loop()
            order: list[str] = []
            original = loop.call_soon

            def call_soon(callback: Any, *arguments: Any, context: Any = None) -> Any:
                order.append(getattr(callback, "__qualname__", repr(callback)))
                return original(callback, *arguments, context=context)

            async def ask() -> None:
                assert await call(b"x") == b"x"
                order.append("resumed")

            task = asyncio.create_task(ask())
            loop.call_soon = call_soon  # type: ignore[method-assign]
            try:
                await task
            finally:
                loop.call_soon = original  # type: ignore[method-assign]
            assert "resumed" in order
            assert not any("wakeup" in name for name in order[: order.index("resumed")])

    run(main())


@pytest.mark.parametrize("debug", [False, True])
def test_tasks_keep_their_contexts_and_are_current(debug: bool) -> None:
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable")

    async def main() -> None:
        asyncio.get_running_loop().set_debug(debug)
        async with serving(_SERVICE) as running, aio.insecure_channel(running.target) as channel:

            async def ask(number: int) -> None:
                variable.set(number)
                me = asyncio.current_task()
                stream = channel.stream_stream("/test.Service/Echoes")()
                for _ in range(20):
                    assert await channel.unary_unary("/test.Service/Echo")(b"x") == b"x"
                    await stream.write(b"y")
                    assert await stream.read() == b"y"
                    assert variable.get() == number
                    assert asyncio.current_task() is me
                await stream.done_writing()
                assert await stream.read() is grpc.aio.EOF

            await asyncio.gather(*(ask(number) for number in range(30)))

    run(main())


def test_tasks_in_pure_python_can_wait() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        made = asyncio.tasks._PyTask  # type: ignore[attr-defined]
        loop.set_task_factory(lambda loop, coroutine, **rest: made(coroutine, loop=loop, **rest))
        try:
            async with serving(_SERVICE) as running, aio.insecure_channel(running.target) as channel:

                async def ask() -> None:
                    for _ in range(10):
                        assert await channel.unary_unary("/test.Service/Echo")(b"x") == b"x"

                await asyncio.gather(*(loop.create_task(ask()) for _ in range(10)))
                waiting = loop.create_task(_wait_for(channel.unary_unary("/test.Service/Slow")(b"")))
                await asyncio.sleep(0.05)
                waiting.cancel("enough")
                with pytest.raises(asyncio.CancelledError, match="enough"):
                    await waiting
        finally:
            loop.set_task_factory(None)

    run(main())


async def _wait_for(call: Any) -> Any:
    return await call


@pytest.mark.parametrize("how", ["wait_for", "shield", "wait", "timeout"])
def test_asyncios_ways_to_wait_work(how: str) -> None:
    async def main() -> None:
        async with serving(_SERVICE) as running, aio.insecure_channel(running.target) as channel:
            quick, slow = channel.unary_unary("/test.Service/Echo"), channel.unary_unary("/test.Service/Slow")
            if how == "wait_for":
                assert await asyncio.wait_for(quick(b"x"), 5) == b"x"
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(slow(b"x"), 0.05)
            elif how == "shield":
                call = slow(b"x")
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(asyncio.shield(_wait_for(call)), 0.05)
                assert not call.done()
                call.cancel()
            elif how == "wait":
                tasks = [asyncio.create_task(_wait_for(method(b"x"))) for method in (quick, slow)]
                done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                assert done == {tasks[0]}
                assert pending == {tasks[1]}
                tasks[1].cancel()
                assert (await asyncio.gather(*tasks, return_exceptions=True))[0] == b"x"
            else:
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await slow(b"x")

    run(main())


def test_a_task_that_is_resumed_wakes_others_behind_it() -> None:
    """It cancels a call that another task waits for, whose step must not run inside its own."""

    async def main() -> None:
        async with serving(_SERVICE) as running, aio.insecure_channel(running.target) as channel:
            slow = channel.unary_unary("/test.Service/Slow")(b"")
            order: list[str] = []

            async def wait() -> None:
                with pytest.raises(asyncio.CancelledError):
                    await slow
                order.append("other")

            other = asyncio.create_task(wait())
            await channel.unary_unary("/test.Service/Echo")(b"")
            slow.cancel()
            order.append("first")
            await other
            assert order == ["first", "other"]

    run(main())


def test_the_task_of_a_call_shows_what_it_waits_for() -> None:
    async def main() -> None:
        async with serving(_SERVICE) as running, aio.insecure_channel(running.target) as channel:
            task = asyncio.create_task(_wait_for(channel.unary_unary("/test.Service/Slow")(b"")))
            await asyncio.sleep(0.05)
            assert "uvgrpc wait pending" in repr(task)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    run(main())


_EXIT = """
async def main():
    async with serving(service(Method=echo)) as running, aio.insecure_channel(running.target) as channel:
        call = channel.unary_unary("/test.Service/Method")
        await call(b"")
        reached = []

        async def ask(number):
            await call(b"x")
            reached.append(number)
            if number == 3:
                raise {exit}("of a task")

        tasks = [asyncio.ensure_future(ask(number)) for number in range(8)]
        try:
            await asyncio.sleep(5)
        finally:
            await asyncio.sleep(0.2)
            print(json.dumps(sorted(reached)))
            for task in tasks:
                task.exception()

try:
    uvloop.run(main())
except {exit} as error:
    assert str(error) == "of a task"
else:
    raise AssertionError("the exit was swallowed")
"""


@pytest.mark.parametrize("exit_type", ["KeyboardInterrupt", "SystemExit"])
def test_an_exit_of_a_resumed_task_ends_the_loop_and_nothing_else(exit_type: str) -> None:
    assert run_program(_EXIT.replace("{exit}", exit_type)).result == list(range(8))
