# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""uvgrpc.testing: a server and a channel to it, for the length of a block."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import grpc.aio
import pytest
from support import LIMIT, echo, environment, error_of, open_files, run, run_program, service, until

import uvgrpc
from uvgrpc import Method, Service, loop_stats, testing

pytestmark = pytest.mark.uvgrpc_only

KINDS = pytest.mark.parametrize("loopback", [False, True], ids=["inproc", "loopback"])


def method(name: str, request_streaming: bool, response_streaming: bool) -> Method:
    codecs = (str.encode, bytes.decode)
    return Method(name, request_streaming, response_streaming, *codecs, *codecs)


GREETER = Service(
    name="test.Greeter",
    methods={
        "Hi": method("Hi", False, False),
        "Down": method("Down", False, True),
        "Up": method("Up", True, False),
        "Both": method("Both", True, True),
    },
)


class Greeter:
    __uvgrpc_service__ = GREETER

    async def Hi(self, request: str, context: Any) -> str:
        if request == "abort":
            await context.abort(grpc.StatusCode.ABORTED, "as asked")
        if request == "wait":
            await asyncio.sleep(3600)
        context.set_trailing_metadata((("of", str(dict(context.invocation_metadata()).get("key"))),))
        return f"Hi {request}"

    async def Down(self, request: str, context: Any) -> AsyncIterator[str]:
        for number in range(int(request)):
            yield str(number)

    async def Up(self, requests: Any, context: Any) -> str:
        return "+".join([request async for request in requests])

    async def Both(self, context: Any) -> None:
        async for message in context:
            await context.send(message.upper())


class Stub:
    def __init__(self, channel: Any) -> None:
        def codecs(name: str) -> dict[str, Any]:
            found = GREETER.methods[name]
            return {
                "request_serializer": found.request_serializer,
                "response_deserializer": found.response_deserializer,
            }

        self.Hi = channel.unary_unary(GREETER.path("Hi"), **codecs("Hi"))
        self.Down = channel.unary_stream(GREETER.path("Down"), **codecs("Down"))
        self.Up = channel.stream_unary(GREETER.path("Up"), **codecs("Up"))
        self.Both = channel.stream_stream(GREETER.path("Both"), **codecs("Both"))


# ---- calls


@KINDS
def test_calls_of_all_arities(loopback: bool) -> None:
    async def main() -> None:
        async with testing.serving(Greeter(), loopback=loopback) as channel:
            assert isinstance(channel, uvgrpc.Channel)
            stub = Stub(channel)
            assert await stub.Hi("you") == "Hi you"
            assert [message async for message in stub.Down("3")] == ["0", "1", "2"]
            assert await stub.Up(["a", "b"]) == "a+b"
            call = stub.Both()
            await call.send("x")
            assert await call.receive() == "X"
            await call.done_sending()
            with pytest.raises(uvgrpc.EOF):
                await call.receive()

    run(main())


@KINDS
def test_metadata_deadlines_errors_and_cancellation(loopback: bool) -> None:
    async def main() -> None:
        async with testing.serving(Greeter(), loopback=loopback) as channel:
            stub = Stub(channel)
            call = stub.Hi("you", metadata=(("key", "value"),))
            await call
            assert tuple(await call.trailing_metadata()) == (("of", "value"),)
            error = await error_of(stub.Hi("abort"))
            assert (error.code(), error.message) == (grpc.StatusCode.ABORTED, "as asked")
            error = await error_of(stub.Hi("wait", timeout=0.05))
            assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            call = stub.Hi("wait")
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call

    run(main())


@KINDS
def test_what_a_server_and_a_channel_may_be_given(loopback: bool) -> None:
    class Noting(grpc.aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            seen.append(("server", details.method))
            return await continuation(details)

    class ClientNoting(grpc.aio.UnaryUnaryClientInterceptor):
        async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
            seen.append(("client", details.method))
            return await continuation(details, request)

    seen: list[Any] = []

    async def main() -> None:
        async with testing.serving(
            Greeter(),
            interceptors=(Noting(),),
            options=(("grpc.max_receive_message_length", 100),),
            maximum_concurrent_rpcs=1,
            client_interceptors=(ClientNoting(),),
            client_options=(("grpc.max_receive_message_length", 50),),
            loopback=loopback,
        ) as channel:
            stub = Stub(channel)
            await stub.Hi("you")
            assert sorted(seen) == [("client", b"/test.Greeter/Hi"), ("server", "/test.Greeter/Hi")]
            for request in ("x" * 60, "x" * 200):
                assert (await error_of(stub.Hi(request))).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            waiting = stub.Hi("wait")
            await until(lambda: len(seen) >= 7)
            assert (await error_of(stub.Hi("more"))).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            waiting.cancel()

    seen_methods = {"client": bytes, "server": str}
    run(main())
    assert all(isinstance(path, seen_methods[side]) for side, path in seen)


def test_several_servicers_of_all_kinds() -> None:
    class Plain:
        async def Hi(self, request: str, context: Any) -> str:
            return "plain"

    other = Service(name="test.Other", methods={"Hi": GREETER.methods["Hi"]})

    async def main() -> None:
        async with testing.serving(Greeter(), (Plain(), other), service(Method=echo)) as channel:
            assert await Stub(channel).Hi("you") == "Hi you"
            assert await channel.unary_unary("/test.Other/Hi")(b"") == b"plain"
            assert await channel.unary_unary("/test.Service/Method")(b"x") == b"x"
        with pytest.raises(TypeError, match=r"which service .*Plain is of"):
            async with testing.serving(Plain()):
                pass

    run(main())


def test_blocks_inside_blocks() -> None:
    class Calling:
        __uvgrpc_service__ = GREETER

        def __init__(self, channel: Any) -> None:
            self._stub = Stub(channel)

        async def Hi(self, request: str, context: Any) -> str:
            return f"passed on: {await self._stub.Hi(request)}"

    async def main() -> None:
        async with (
            testing.serving(Greeter()) as inner,
            testing.serving(Calling(inner)) as outer,
        ):
            calls = [Stub(outer).Hi(str(i)) for i in range(50)]
            assert await asyncio.gather(*calls) == [f"passed on: Hi {i}" for i in range(50)]

    run(main())


def test_a_channel_to_a_server_of_ones_own() -> None:
    async def main() -> None:
        server = uvgrpc.server(grace=None)
        server.add_servicer(Greeter())
        with pytest.raises(RuntimeError, match="start it before"):
            testing.inproc_channel(server)
        async with server, testing.inproc_channel(server) as channel:
            assert await Stub(channel).Hi("you") == "Hi you"
            assert channel.get_state() is grpc.ChannelConnectivity.READY

    run(main())


# ---- the end of a block


async def left_running(leave: Callable[[Stub], Any], *servicers: object, **options: Any) -> str:
    kept: list[Any] = []

    async def block() -> None:
        async with testing.serving(*(servicers or (Greeter(),)), **options) as channel:
            left = leave(Stub(channel))
            kept.append(await left if asyncio.iscoroutine(left) else left)

    with pytest.raises(testing.LeakError) as raised:
        await block()
    return str(raised.value)


@KINDS
def test_calls_that_are_running_are_named(loopback: bool) -> None:
    async def unread(stub: Stub) -> Any:
        call = stub.Down("5")
        assert await call.receive() == "0"
        return call

    async def main() -> None:
        text = await left_running(lambda stub: stub.Hi("wait"), loopback=loopback)
        assert text.startswith("calls are running at the end of serving():\n")
        assert "/test.Greeter/Hi, called by a client (UnaryUnaryCall)" in text
        assert "handler" not in text
        text = await left_running(lambda stub: [stub.Both() for _ in range(3)], loopback=loopback)
        assert "/test.Greeter/Both, called by a client (StreamStreamCall), 3 times" in text
        text = await left_running(unread, loopback=loopback)
        assert "/test.Greeter/Down, called by a client (UnaryStreamCall)" in text

    run(main())


@KINDS
def test_a_handler_that_does_not_end_is_named(loopback: bool) -> None:
    class Stubborn:
        __uvgrpc_service__ = GREETER

        async def Hi(self, request: str, context: Any) -> str:
            while not over.is_set():
                try:
                    await over.wait()
                except asyncio.CancelledError:
                    continue
            return ""

    async def cancelled(stub: Stub) -> None:
        call = stub.Hi("")
        begun = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.05, begun.set_result, None)
        await begun
        call.cancel()

    over = asyncio.Event()

    async def main() -> None:
        text = await left_running(cancelled, Stubborn(), loopback=loopback, patience=0.05)
        assert "/test.Greeter/Hi, its handler" in text
        assert "client" not in text
        over.set()
        await until(lambda: len(asyncio.all_tasks()) <= 2)

    run(main())


def test_a_call_that_waits_in_an_interceptor_is_named() -> None:
    class Waiting(grpc.aio.UnaryUnaryClientInterceptor):
        async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
            await asyncio.sleep(3600)

    async def main() -> None:
        text = await left_running(lambda stub: stub.Hi("x"), client_interceptors=(Waiting(),))
        assert "a call that waits in an interceptor of a client" in text

    run(main())


@KINDS
def test_what_is_over_or_dropped_or_cancelled_is_no_leak(loopback: bool) -> None:
    async def main() -> None:
        for _ in range(3):
            async with testing.serving(Greeter(), loopback=loopback) as channel:
                stub = Stub(channel)
                kept = [stub.Hi("wait") for _ in range(3)]
                for call in kept:
                    call.cancel()
                circle: list[Any] = [stub.Both()]
                circle.append(circle)
                del circle
                stub.Down("10")
                user = asyncio.ensure_future(stub.Hi("wait"))
                await asyncio.sleep(0)
                user.cancel()
            async with testing.serving(Greeter(), loopback=loopback) as channel:
                assert await Stub(channel).Hi("x") == "Hi x"

    run(main())


@KINDS
def test_an_error_of_the_block_comes_out(loopback: bool) -> None:
    async def main() -> None:
        kept: list[Any] = []

        async def block() -> None:
            async with testing.serving(Greeter(), loopback=loopback) as channel:
                kept.append(Stub(channel).Hi("wait"))
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await block()
        assert kept[0].done()

    run(main())


@KINDS
def test_blocks_leave_nothing(loopback: bool) -> None:
    async def main() -> None:
        async def some(count: int) -> None:
            for _ in range(count):
                async with testing.serving(Greeter(), loopback=loopback) as channel:
                    assert await Stub(channel).Hi("x") == "Hi x"

        await some(5)
        gc.collect()
        floor, files, tasks = loop_stats(), open_files(), len(asyncio.all_tasks())
        await some(50)
        gc.collect()
        await until(lambda: open_files() <= files)
        assert (loop_stats().handles, loop_stats().residents) == (floor.handles, floor.residents)
        assert len(asyncio.all_tasks()) == tasks

    run(main(), limit=2 * LIMIT)


def test_another_loop_is_an_error() -> None:
    program = """
from uvgrpc import testing

async def main():
    async with testing.serving():
        pass

try:
    asyncio.run(main())
except uvgrpc.UnsupportedLoopError as error:
    print(json.dumps(str(error)))
"""
    assert "uvgrpc needs uvloop's event loop" in run_program(program).result


# ---- the package


def test_what_is_exported() -> None:
    assert set(testing.__all__) <= set(dir(testing))
    for name in testing.__all__:
        assert getattr(testing, name).__module__.startswith("uvgrpc.testing.")
    with pytest.raises(AttributeError, match=r"module 'uvgrpc.testing' has no attribute 'nothing'"):
        testing.nothing  # noqa: B018


def test_the_plugin_imports_neither_grpc_nor_asyncio() -> None:
    program = """
import sys, pytest
before = set(sys.modules)
import uvgrpc_pytest
print(sorted({name.partition(".")[0] for name in set(sys.modules) - before}))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout == "['uvgrpc_pytest']\n"
