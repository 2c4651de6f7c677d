# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Metadata of authentication plugins, blocking ones and async ones."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
import tls
from support import aio, error_of, in_time, run, service, until

METHOD = "/test.Service/Method"


class Sync(grpc.AuthMetadataPlugin):
    """A plugin that does what a function says."""

    def __init__(self, behavior: Callable[[Any, Any], None]) -> None:
        self._behavior = behavior

    def __call__(self, context: Any, callback: Any) -> None:
        self._behavior(context, callback)


class Async(grpc.AuthMetadataPlugin):
    """A plugin that does what a coroutine function says."""

    def __init__(self, behavior: Callable[[Any, Any], Any]) -> None:
        self._behavior = behavior

    async def __call__(self, context: Any, callback: Any) -> None:
        await self._behavior(context, callback)


async def _tokens(_request: bytes, context: Any) -> bytes:
    """Answers with the metadata whose key begins with x-, or is authorization."""
    sent = [f"{k}={v}" for k, v in context.invocation_metadata() if k.startswith(("x-", "authorization"))]
    return ",".join(sorted(sent)).encode()


@contextlib.asynccontextmanager
async def calling(*calls: grpc.CallCredentials) -> AsyncIterator[Any]:
    """A method over TLS on a channel with call credentials."""
    credentials = tls.channel_tls()
    if calls:
        credentials = grpc.composite_channel_credentials(credentials, *calls)
    async with (
        tls.serving_tls(tls.server_tls(), service(Method=_tokens)) as running,
        aio.secure_channel(running.target, credentials) as channel,
    ):
        yield channel.unary_unary(METHOD)


def sync(behavior: Callable[[Any, Any], None]) -> grpc.CallCredentials:
    return grpc.metadata_call_credentials(Sync(behavior))


def async_(behavior: Callable[[Any, Any], Any]) -> grpc.CallCredentials:
    return grpc.metadata_call_credentials(Async(behavior))


def answer(*pairs: tuple[str, str | bytes]) -> Callable[[Any, Any], None]:
    return lambda _context, callback: callback(pairs, None)


def test_the_metadata_arrives() -> None:
    seen: list[Any] = []

    def behavior(context: Any, callback: Any) -> None:
        seen.append((context.service_url, context.method_name, threading.current_thread()))
        callback((("x-token", "abc"), ("x-token", "def")), None)

    async def main() -> None:
        async with calling(sync(behavior)) as method:
            assert await method(b"") == b"x-token=abc,x-token=def"

    run(main())
    [(url, name, thread)] = seen
    assert url.startswith("https://127.0.0.1:")
    assert url.endswith("/test.Service")
    assert name == "Method"
    assert thread is not threading.main_thread()


def test_every_call_asks() -> None:
    numbers = iter(range(100))

    async def main() -> None:
        async with calling(sync(lambda _, done: done((("x-n", str(next(numbers))),), None))) as method:
            answers = await asyncio.gather(*(method(b"") for _ in range(100)))
            assert set(answers) == {b"x-n=%d" % number for number in range(100)}

    run(main())


def test_a_blocking_plugin_does_not_block_the_loop() -> None:
    def behavior(_context: Any, callback: Any) -> None:
        time.sleep(1)
        callback((("x-slow", "yes"),), None)

    async def main() -> None:
        async with calling(sync(behavior)) as method:
            call = asyncio.ensure_future(method(b""))
            lags = []
            while not call.done():
                before = time.monotonic()
                await asyncio.sleep(0.005)
                lags.append(time.monotonic() - before - 0.005)
            assert await call == b"x-slow=yes"
            # A busy machine may hold up single turns, but not most of them, nor for long.
            lags.sort()
            assert len(lags) > 20
            assert lags[len(lags) * 9 // 10] < 0.02
            assert lags[-1] < 0.5

    run(main())


@pytest.mark.uvgrpc_only
def test_many_blocking_calls_share_threads() -> None:
    """Far more calls than threads; every one is answered."""
    running: set[int] = set()
    most = 0

    def behavior(_context: Any, callback: Any) -> None:
        nonlocal most
        running.add(threading.get_ident())
        time.sleep(0.01)
        most = max(most, len(running))
        running.remove(threading.get_ident())
        callback((), None)

    async def main() -> None:
        async with calling(sync(behavior)) as method:
            assert await asyncio.gather(*(method(b"") for _ in range(500))) == [b""] * 500

    run(main())
    assert 1 < most <= 64


@pytest.mark.parametrize("kind", ["raises", "reports"])
def test_a_plugin_that_fails(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    def behavior(_context: Any, callback: Any) -> None:
        error = ValueError("no token today")
        if kind == "raises":
            raise error
        callback(None, error)

    async def main() -> None:
        async with calling(sync(behavior)) as method:
            error = await error_of(method(b""))
            assert error.code() is grpc.StatusCode.UNAVAILABLE
            assert error.details() == "Getting metadata from plugin failed with error: no token today"

    run(main())
    assert len(caplog.records) == (kind == "raises")
    caplog.clear()


@pytest.mark.stock_defect("the call is never ended")
def test_metadata_that_is_not_pairs(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with calling(sync(lambda _, callback: callback(5, None))) as method:
            error = await error_of(method(b"", timeout=20))
            assert error.code() is grpc.StatusCode.UNAVAILABLE

    run(main())
    caplog.clear()


@pytest.mark.parametrize("pair", [("X-Upper", "v"), ("x-value", "line\nfeed")])
@pytest.mark.writes_stderr
def test_metadata_that_cannot_be_sent(pair: tuple[str, str]) -> None:
    async def main() -> None:
        async with calling(sync(answer(pair))) as method:
            error = await error_of(method(b""))
            assert error.code() is grpc.StatusCode.UNAVAILABLE
            assert error.details() == "Illegal metadata"

    run(main())


def test_a_plugin_that_answers_later_from_elsewhere() -> None:
    callbacks: list[Any] = []

    async def main() -> None:
        async with calling(sync(lambda _, callback: callbacks.append(callback))) as method:
            call = asyncio.ensure_future(method(b""))
            await until(lambda: callbacks)
            callbacks[0]((("x-late", "yes"),), None)
            assert await call == b"x-late=yes"
            with pytest.raises(RuntimeError, match="more than once"):
                callbacks.pop()((), None)

    run(main())


@pytest.mark.stock_defect("the call waits for ever")
def test_a_plugin_that_never_answers() -> None:
    async def main() -> None:
        async with calling(sync(lambda _context, _callback: None)) as method:
            error = await error_of(method(b"", timeout=20))
            assert error.code() is grpc.StatusCode.UNAVAILABLE
            assert "without calling it" in error.details()

    run(main())


def test_a_deadline_while_the_plugin_runs() -> None:
    release = threading.Event()

    def behavior(_context: Any, callback: Any) -> None:
        release.wait()
        callback((), None)

    async def main() -> None:
        async with calling(sync(behavior)) as method:
            started = time.monotonic()
            error = await error_of(method(b"", timeout=0.1))
            assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            in_time(started, 5)
            release.set()

    run(main())


def test_two_plugins_on_a_channel() -> None:
    async def main() -> None:
        async with calling(sync(answer(("x-one", "1"))), sync(answer(("x-two", "2")))) as method:
            assert await method(b"") == b"x-one=1,x-two=2"
        both = grpc.composite_call_credentials(sync(answer(("x-a", "1"))), sync(answer(("x-b", "2"))))
        async with calling(both) as method:
            assert await method(b"") == b"x-a=1,x-b=2"

    run(main())


def test_an_access_token() -> None:
    async def main() -> None:
        async with calling(grpc.access_token_call_credentials("secret")) as method:
            assert await method(b"") == b"authorization=Bearer secret"

    run(main())


@pytest.mark.writes_stderr
def test_an_access_token_that_is_no_header() -> None:
    async def main() -> None:
        async with calling(grpc.access_token_call_credentials("a\r\nx-injected: yes")) as method:
            error = await error_of(method(b""))
            assert (error.code(), error.details()) == (grpc.StatusCode.UNAVAILABLE, "Illegal metadata")

    run(main())
