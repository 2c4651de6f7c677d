# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Authentication plugins that are coroutines, and loops that close under a plugin."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
import tls
from support import aio, error_of, run, run_program, service, thread_count, until

pytestmark = pytest.mark.uvgrpc_only
METHOD = "/test.Service/Method"


def plugin(behavior: Callable[[Any, Any], Any]) -> grpc.CallCredentials:
    """Credentials of a plugin whose __call__ is a coroutine function."""

    class Plugin(grpc.AuthMetadataPlugin):
        async def __call__(self, context: Any, callback: Any) -> None:  # type: ignore[override]
            await behavior(context, callback)

    return grpc.metadata_call_credentials(Plugin())


async def _token(_request: bytes, context: Any) -> bytes:
    token: str = dict(context.invocation_metadata()).get("x-token", "")
    return token.encode()


@contextlib.asynccontextmanager
async def calling(call_credentials: grpc.CallCredentials) -> AsyncIterator[Any]:
    """A method over TLS on a channel with call credentials."""
    credentials = grpc.composite_channel_credentials(tls.channel_tls(), call_credentials)
    async with (
        tls.serving_tls(tls.server_tls(), service(Method=_token)) as running,
        aio.secure_channel(running.target, credentials) as channel,
    ):
        yield channel.unary_unary(METHOD)


def test_it_runs_on_the_loop() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("of the maker")
    threads: list[Any] = []

    async def behavior(_context: Any, callback: Any) -> None:
        threads.append(threading.current_thread())
        await asyncio.sleep(0.01)
        callback((("x-token", variable.get()),), None)

    credentials = plugin(behavior)
    variable.set("of somebody else")

    async def main() -> None:
        async with calling(credentials) as method:
            before = thread_count()
            assert await asyncio.gather(*(method(b"") for _ in range(20))) == [b"of the maker"] * 20
            assert thread_count() == before

    run(main())
    assert set(threads) == {threading.main_thread()}


def test_it_may_make_calls_itself() -> None:
    async def main() -> None:
        async with (
            tls.serving_tls(tls.server_tls(), service(Method=_token)) as running,
            aio.secure_channel(running.target, tls.channel_tls()) as channel,
        ):

            async def behavior(_context: Any, callback: Any) -> None:
                response = await channel.unary_unary(METHOD)(b"", metadata=(("x-token", "inner"),))
                callback((("x-token", response.decode()),), None)

            async with calling(plugin(behavior)) as method:
                assert await method(b"") == b"inner"

    run(main())


def test_it_raises(caplog: pytest.LogCaptureFixture) -> None:
    async def behavior(_context: Any, _callback: Any) -> None:
        raise ValueError("no token today")

    async def main() -> None:
        async with calling(plugin(behavior)) as method:
            error = await error_of(method(b""))
            assert error.code() is grpc.StatusCode.UNAVAILABLE
            assert error.details() == "Getting metadata from plugin failed with error: no token today"

    run(main())
    [record] = caplog.records
    assert record.name == "uvgrpc"
    caplog.clear()


def test_it_ends_without_an_answer() -> None:
    async def behavior(_context: Any, _callback: Any) -> None:
        pass

    async def main() -> None:
        async with calling(plugin(behavior)) as method:
            error = await error_of(method(b"", timeout=20))
            assert error.code() is grpc.StatusCode.UNAVAILABLE
            assert "without calling it" in error.details()

    run(main())


def test_its_task_is_cancelled() -> None:
    tasks: list[asyncio.Task[Any]] = []

    async def behavior(_context: Any, _callback: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        await asyncio.Event().wait()

    async def main() -> None:
        async with calling(plugin(behavior)) as method:
            call = method(b"", timeout=20)
            await until(lambda: tasks)
            tasks.pop().cancel()
            error = await error_of(call)
            assert error.code() is grpc.StatusCode.UNAVAILABLE

    run(main())


@pytest.mark.parametrize("kind", ["async", "blocking"])
def test_the_loop_closes_meanwhile(kind: str) -> None:
    """Calls end, nothing of the loop is left, and the late answer does no harm."""
    asked = threading.Event()
    release = threading.Event()
    answered = threading.Event()

    class Blocking(grpc.AuthMetadataPlugin):
        def __call__(self, context: Any, callback: Any) -> None:
            asked.set()
            release.wait()
            callback((("x-token", "late"),), None)
            answered.set()

    async def waits(_context: Any, _callback: Any) -> None:
        asked.set()
        await asyncio.Event().wait()

    calls = plugin(waits) if kind == "async" else grpc.metadata_call_credentials(Blocking())
    kept: list[Any] = []

    async def main() -> None:
        server = aio.server()
        server.add_generic_rpc_handlers((service(Method=_token),))
        port = server.add_secure_port("127.0.0.1:0", tls.server_tls())
        await server.start()
        credentials = grpc.composite_channel_credentials(tls.channel_tls(), calls)
        channel = aio.secure_channel(f"127.0.0.1:{port}", credentials)
        kept.extend((server, channel, channel.unary_unary(METHOD)(b"")))
        await until(asked.is_set)

    run(main(), leaves_open=True)
    call = kept.pop()
    assert call.done()
    kept.clear()
    if kind == "blocking":
        release.set()
        assert answered.wait(20)


def test_an_exit_while_a_plugin_hangs() -> None:
    outcome = run_program("""
import tls

class Hangs(grpc.AuthMetadataPlugin):
    def __call__(self, context, callback):
        asked.set()
        threading.Event().wait()

asked = threading.Event()

async def main():
    credentials = grpc.composite_channel_credentials(
        tls.channel_tls(), grpc.metadata_call_credentials(Hangs()))
    async with tls.serving_tls(tls.server_tls(), service(Method=echo)) as running:
        channel = aio.secure_channel(running.target, credentials)
        call = channel.unary_unary("/test.Service/Method")(b"")
        while not asked.is_set():
            await asyncio.sleep(0.01)
        print(json.dumps(call.done()))

uvloop.run(main())
""")
    assert outcome.result is False
