# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Exceptions of every kind at every place of a server: the client is answered, the slot is free."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc
import pytest
from support import aio, run, run_program, serving, until

from uvgrpc import loop_stats

pytestmark = pytest.mark.uvgrpc_only

# Seconds in which what happens at once has happened.
_SOON = 5.0


class Unprintable(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __str__


class _Nameless(type):
    def __repr__(cls) -> str:
        raise ValueError("no text")


class Unspeakable(Exception, metaclass=_Nameless):
    """Not even its class can be printed."""


class Plain(BaseException):
    """What `except Exception` does not catch."""


ERRORS: list[type[BaseException]] = [
    ValueError,
    Unprintable,
    Unspeakable,
    StopIteration,
    StopAsyncIteration,
    GeneratorExit,
    asyncio.CancelledError,
    asyncio.TimeoutError,
    grpc.aio.UsageError,
    grpc.aio.AbortError,
    Plain,
]
IDENTITY: dict[str, Any] = {"request_deserializer": bytes, "response_serializer": bytes}


def _raiser(error: type[BaseException]) -> Callable[..., Any]:
    def raise_it(*_args: Any) -> Any:
        raise error

    return raise_it


def _at_handler(error: type[BaseException], arity: str) -> Any:
    async def handler(request: Any, context: Any) -> bytes:
        raise error

    return handler, {}


def _at_suspended_handler(error: type[BaseException], arity: str) -> Any:
    async def handler(request: Any, context: Any) -> bytes:
        await asyncio.sleep(0)
        raise error

    return handler, {}


def _at_generator(error: type[BaseException], arity: str) -> Any:
    async def handler(request: Any, context: Any) -> AsyncIterator[bytes]:
        raise error
        yield b""

    return handler, {}


def _at_generator_later(error: type[BaseException], arity: str) -> Any:
    async def handler(request: Any, context: Any) -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.sleep(0)
        raise error

    return handler, {}


def _at_function(error: type[BaseException], arity: str) -> Any:
    return _raiser(error), {}


def _at_function_generator(error: type[BaseException], arity: str) -> Any:
    def handler(request: Any, context: Any) -> Iterator[bytes]:
        yield b"first"
        raise error

    return handler, {}


def _at_deserializer(error: type[BaseException], arity: str) -> Any:
    async def handler(request: Any, context: Any) -> bytes:
        if arity.startswith("stream"):
            async for _request in request:
                pass
        return b"not reached"

    return handler, {"request_deserializer": _raiser(error)}


def _at_read(error: type[BaseException], arity: str) -> Any:
    async def handler(request: Any, context: Any) -> bytes:
        await context.read()
        return b"not reached"

    return handler, {"request_deserializer": _raiser(error)}


def _at_serializer(error: type[BaseException], arity: str) -> Any:
    async def handler(request: Any, context: Any) -> bytes:
        if arity.endswith("stream"):
            await context.write(b"x")
        return b"x"

    return handler, {"response_serializer": _raiser(error)}


ARITIES = ["unary_unary", "unary_stream", "stream_unary", "stream_stream"]
PLACES: list[tuple[Any, list[str]]] = [
    (_at_handler, ARITIES),
    (_at_suspended_handler, ARITIES),
    (_at_generator, ["unary_stream", "stream_stream"]),
    (_at_generator_later, ["unary_stream", "stream_stream"]),
    (_at_function, ARITIES),
    (_at_function_generator, ["unary_stream", "stream_stream"]),
    (_at_deserializer, ARITIES),
    (_at_read, ["stream_unary", "stream_stream"]),
    (_at_serializer, ARITIES),
]


@contextlib.asynccontextmanager
async def _serving(**options: Any) -> AsyncIterator[tuple[Any, Any]]:
    """A server that serves one RPC at a time, and a channel to it."""
    async with (
        serving(maximum_concurrent_rpcs=1, **options) as running,
        aio.insecure_channel(running.target) as channel,
    ):
        yield running, channel


async def _status(channel: Any, arity: str = "unary_unary", method: str = "/t/M") -> Any:
    """How a call of `method` ends."""
    request = iter([b"1", b"2"]) if arity.startswith("stream") else b"1"
    call = getattr(channel, arity)(method)(request)
    async with asyncio.timeout(_SOON):
        if arity.endswith("stream"):
            with contextlib.suppress(grpc.RpcError):
                async for _response in call:
                    pass
        return await call.code(), await call.details()


async def _echo(request: bytes, context: Any) -> bytes:
    return request


async def _serves_on(channel: Any) -> None:
    assert await channel.unary_unary("/t/Echo")(b"x", timeout=_SOON) == b"x"


def _service(**methods: Any) -> grpc.GenericRpcHandler:
    methods.setdefault("Echo", grpc.unary_unary_rpc_method_handler(_echo))
    return grpc.method_handlers_generic_handler("t", methods)


@pytest.mark.writes_stderr
@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize(("place", "arities"), PLACES)
def test_an_exception_ends_the_rpc(
    place: Any, arities: list[str], error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    """In all arities, one after the other, through one slot."""

    async def main() -> None:
        for arity in arities:
            behavior, codecs = place(error, arity)
            handler = getattr(grpc, f"{arity}_rpc_method_handler")(behavior, **codecs)
            async with _serving(handlers=[_service(M=handler)]) as (_running, channel):
                code, details = await _status(channel, arity)
                expected = {grpc.StatusCode.UNKNOWN}
                if error is asyncio.CancelledError:
                    expected = {grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN}
                elif not issubclass(error, Exception):
                    expected = {grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL}
                assert code in expected, arity
                assert details or error is asyncio.CancelledError
                await _serves_on(channel)
        gc.collect()
        assert loop_stats().residents == 0

    with caplog.at_level(logging.CRITICAL, logger="uvgrpc"):
        run(main(), limit=4 * _SOON)
    if issubclass(error, Exception):
        assert not [one for one in caplog.records if "never retrieved" in one.getMessage()]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("place", ["find_handler", "interceptor", "behind an interceptor"])
def test_an_exception_in_the_search_for_a_handler_ends_the_rpc(
    place: str, error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    class Finder(grpc.GenericRpcHandler):
        def service(self, handler_call_details: Any) -> Any:
            if handler_call_details.method == "/t/M" and place != "interceptor":
                raise error
            return grpc.unary_unary_rpc_method_handler(_echo)

    class Interceptor(grpc.aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
            if handler_call_details.method == "/t/M" and place == "interceptor":
                raise error
            return await continuation(handler_call_details)

    async def main() -> None:
        interceptors = [] if place == "find_handler" else [Interceptor()]
        async with _serving(handlers=[Finder()], interceptors=interceptors) as (_running, channel):
            code, _details = await _status(channel)
            assert code in {grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.CANCELLED}
            await _serves_on(channel)

    with caplog.at_level(logging.CRITICAL, logger="uvgrpc"):
        run(main(), limit=4 * _SOON)


@pytest.mark.parametrize("answer", [42, object(), "handler", _echo, (), b""])
def test_an_interceptor_that_returns_no_handler_ends_the_rpc(
    answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    class Interceptor(grpc.aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
            if handler_call_details.method == "/t/M":
                return answer
            return await continuation(handler_call_details)

    async def main() -> None:
        async with _serving(handlers=[_service()], interceptors=[Interceptor()]) as (_running, channel):
            code, _details = await _status(channel)
            assert code is grpc.StatusCode.UNKNOWN
            await _serves_on(channel)

    with caplog.at_level(logging.CRITICAL, logger="uvgrpc"):
        run(main(), limit=4 * _SOON)


def test_a_log_handler_that_fails_does_not_keep_the_answer() -> None:
    class Failing(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            raise LookupError("no log today")

    async def fail(request: bytes, context: Any) -> bytes:
        raise ValueError("the handler's")

    async def main() -> None:
        # Its task ends with the log's exception, which is asyncio's to report.
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _details: None)
        handlers = [_service(M=grpc.unary_unary_rpc_method_handler(fail))]
        async with _serving(handlers=handlers) as (_running, channel):
            code, details = await _status(channel)
            assert (code, details) == (
                grpc.StatusCode.UNKNOWN,
                "Unexpected <class 'ValueError'>: the handler's",
            )
            await _serves_on(channel)

    failing = Failing()
    logging.getLogger("uvgrpc").addFilter(failing)
    try:
        run(main(), limit=4 * _SOON)
    finally:
        logging.getLogger("uvgrpc").removeFilter(failing)


def test_a_handler_that_aborts_in_a_finally_is_not_asked_twice() -> None:
    async def abort(request: bytes, context: Any) -> bytes:
        try:
            await context.abort(grpc.StatusCode.NOT_FOUND, "first")
        finally:
            with contextlib.suppress(grpc.aio.UsageError):
                await context.abort(grpc.StatusCode.ABORTED, "second")
        return b""

    async def main() -> None:
        handlers = [_service(M=grpc.unary_unary_rpc_method_handler(abort))]
        async with _serving(handlers=handlers) as (_running, channel):
            assert await _status(channel) == (grpc.StatusCode.NOT_FOUND, "first")
            await _serves_on(channel)

    run(main(), limit=4 * _SOON)


@pytest.mark.parametrize("place", ["handler", "deserializer", "finder", "interceptor", "factory", "callback"])
@pytest.mark.parametrize("error", ["KeyboardInterrupt", "SystemExit"])
def test_an_exit_ends_the_loop_and_no_more(error: str, place: str) -> None:
    """The program that catches it goes on with the same loop: the RPC was answered, others are served."""
    program = f"""
place, error = {place!r}, {error}

def maybe(here):
    global place
    if here == place:
        place = None
        raise error

def deserialize(data):
    maybe("deserializer")
    return data

async def handler(request, context):
    context.add_done_callback(lambda context: maybe("callback"))
    maybe("handler")
    return request

class Finder(grpc.GenericRpcHandler):
    def service(self, details):
        maybe("finder")
        return grpc.unary_unary_rpc_method_handler(handler, request_deserializer=deserialize)

class Interceptor(grpc.aio.ServerInterceptor):
    async def intercept_service(self, continuation, details):
        maybe("interceptor")
        return await continuation(details)

async def begin():
    server = aio.server(handlers=[Finder()], interceptors=[Interceptor()], maximum_concurrent_rpcs=1)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return server, aio.insecure_channel(f"127.0.0.1:{{port}}")

async def call(channel, method):
    call = channel.unary_unary(method)(b"x", timeout=5)
    return (await call.code()).name

loop = uvloop.new_event_loop()
asyncio.set_event_loop(loop)
# asyncio reports a task that ended with an exit when it goes.
loop.set_exception_handler(lambda loop, details: None)
server, channel = loop.run_until_complete(begin())
if place == "factory":
    def factory(loop, coro, **options):
        if getattr(coro, "__name__", "") == "/t/M":
            maybe("factory")
        return asyncio.Task(coro, loop=loop, **options)
    loop.set_task_factory(factory)
task = loop.create_task(call(channel, "/t/M"))
try:
    loop.run_until_complete(asyncio.sleep(5))
    ended = None
except (KeyboardInterrupt, SystemExit) as exit:
    ended = type(exit).__name__
codes = [loop.run_until_complete(task), loop.run_until_complete(call(channel, "/t/N"))]
loop.run_until_complete(channel.close())
loop.run_until_complete(server.stop(None))
loop.close()
print(json.dumps([ended, codes]))
"""
    first = "OK" if place == "callback" else "INTERNAL"
    assert run_program(program).result == [error, [first, "OK"]]


def test_done_callbacks_after_one_that_raises_run() -> None:
    ran: list[str] = []

    async def handler(request: bytes, context: Any) -> bytes:
        for error in ERRORS:
            context.add_done_callback(_raiser(error))
            context.add_done_callback(lambda _context, name=error.__name__: ran.append(name))
        return request

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _details: None)
        handlers = [_service(M=grpc.unary_unary_rpc_method_handler(handler))]
        async with _serving(handlers=handlers) as (_running, channel):
            assert (await _status(channel))[0] is grpc.StatusCode.OK
            await until(lambda: len(ran) == len(ERRORS), _SOON)
            assert ran == [error.__name__ for error in ERRORS]

    logging.getLogger("uvgrpc").disabled = True
    try:
        run(main(), limit=4 * _SOON)
    finally:
        logging.getLogger("uvgrpc").disabled = False
