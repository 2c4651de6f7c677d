# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""install(): grpc.aio on uvgrpc, without changing what programs know of it."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterator
from typing import Any

import grpc
import grpc.aio
import grpc.aio._channel
import grpc.aio._server
import grpc.experimental.aio
import pytest
from grpc.aio import insecure_channel as imported_before
from support import echo, error_of, run, run_program, service

import uvgrpc
import uvgrpc.aio
from uvgrpc.aio._channel import Channel
from uvgrpc.aio._server import Server

STOCK_CHANNEL = grpc.aio._channel.Channel
STOCK_SERVER = grpc.aio._server.Server

pytestmark = pytest.mark.uvgrpc_only


@pytest.fixture
def installed() -> Iterator[None]:
    uvgrpc.install()
    yield
    uvgrpc.uninstall()


def test_install_and_uninstall_are_idempotent() -> None:
    assert not uvgrpc.is_installed()
    uvgrpc.uninstall()
    try:
        for _ in range(2):
            uvgrpc.install()
            assert uvgrpc.is_installed()
            assert grpc.aio._channel.Channel is not STOCK_CHANNEL
    finally:
        uvgrpc.uninstall()
    assert not uvgrpc.is_installed()
    uvgrpc.uninstall()
    assert grpc.aio._channel.Channel is STOCK_CHANNEL
    assert grpc.aio._server.Server is STOCK_SERVER


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    "factory", [imported_before, grpc.aio.insecure_channel, grpc.experimental.aio.insecure_channel]
)
def test_programs_run_on_uvgrpc(factory: Any) -> None:
    async def main() -> None:
        server = grpc.aio.server(handlers=[service(Method=echo)])
        assert type(server) is Server
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with factory(f"127.0.0.1:{port}") as channel:
            assert type(channel) is Channel
            assert await channel.unary_unary("/test.Service/Method")(b"x") == b"x"
            with pytest.raises(grpc.aio.AioRpcError):
                await channel.unary_unary("/test.Service/Nothing")(b"")
        await server.stop(None)

    run(main())


@pytest.mark.usefixtures("installed")
def test_a_channel_without_a_running_loop_is_uvgrpcs() -> None:
    assert type(grpc.aio.insecure_channel("127.0.0.1:1")) is Channel


@pytest.mark.usefixtures("installed")
def test_arguments_may_be_positional() -> None:
    async def main() -> None:
        channel = grpc.aio.insecure_channel(
            "127.0.0.1:1", [("grpc.primary_user_agent", "x")], grpc.Compression.Gzip, []
        )
        assert type(channel) is Channel
        await channel.close()
        server = grpc.aio.server(None, [service(Method=echo)], [], [], 10, grpc.Compression.Gzip)
        assert type(server) is Server
        await server.stop(None)

    run(main())


def test_objects_made_before_keep_working_and_after_uninstall_too() -> None:
    async def main() -> None:
        uvgrpc.install()
        server = grpc.aio.server(handlers=[service(Method=echo)])
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        method = channel.unary_unary("/test.Service/Method")
        uvgrpc.uninstall()
        assert await method(b"x") == b"x"
        assert await channel.unary_unary("/test.Service/Method")(b"y") == b"y"
        await channel.close()
        await server.stop(None)

    run(main())


@pytest.mark.usefixtures("installed")
def test_the_classes_accept_objects_of_both_kinds() -> None:
    async def main() -> None:
        ours = grpc.aio.insecure_channel("127.0.0.1:1")
        for kind in (grpc.aio.Channel, grpc.aio._channel.Channel):
            assert isinstance(ours, kind)
        multi_callable = ours.unary_unary("/a/A")
        assert isinstance(multi_callable, grpc.aio.UnaryUnaryMultiCallable)
        call = multi_callable(b"")
        assert isinstance(call, grpc.aio.UnaryUnaryCall)
        assert isinstance(call, grpc.aio.Call)
        assert isinstance(call, grpc.aio.RpcContext)
        await error_of(call)
        await ours.close()
        server = grpc.aio.server()
        assert isinstance(server, grpc.aio.Server)
        assert isinstance(server, grpc.aio._server.Server)
        await server.stop(None)
        assert issubclass(STOCK_CHANNEL, grpc.aio._channel.Channel)
        assert issubclass(Channel, grpc.aio._channel.Channel)
        assert not issubclass(str, grpc.aio._channel.Channel)
        assert not isinstance("text", grpc.aio._channel.Channel)

    run(main())


# Uses grpc.aio as it is, which has threads of its own: not in this process.
_STOCK_OBJECTS = """
import warnings

async def main():
    before = grpc.aio.insecure_channel("127.0.0.1:1")
    stock = type(before)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it comes too late
        uvgrpc.install()
    assert isinstance(before, grpc.aio._channel.Channel)
    assert type(grpc.aio.insecure_channel("127.0.0.1:1")) is not stock
    # grpc.aio's own multi-callables check that their channel is one.
    call = before.unary_unary("/a/A")(b"")
    assert await call.code() is grpc.StatusCode.UNAVAILABLE
    await before.close()
    print("true")

uvloop.run(main())
"""


def test_a_stock_channel_made_before_keeps_working() -> None:
    assert run_program(_STOCK_OBJECTS).result is True


def test_subclasses_of_the_installed_classes_are_uvgrpcs() -> None:
    uvgrpc.install()
    try:

        class Traced(grpc.aio._channel.Channel):  # type: ignore[misc,valid-type]
            def __init__(self, *args: Any) -> None:
                super().__init__(*args)
                self.traced = True

        async def main() -> None:
            channel = Traced("127.0.0.1:1", (), None, None, None)
            assert isinstance(channel, Traced)
            assert isinstance(channel, Channel)
            assert channel.traced
            assert not isinstance(grpc.aio.insecure_channel("127.0.0.1:1"), Traced)
            await channel.close()

        run(main(), leaves_open=True)
    finally:
        uvgrpc.uninstall()


# ---- another loop


_ON_ASYNCIO = """
import warnings

async def main():
    caught = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        server = grpc.aio.server(handlers=[service(Method=echo)])
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            response = await channel.unary_unary("/test.Service/Method")(b"x")
        kinds = [type(server).__module__, type(channel).__module__]
        await server.stop(None)
    print(json.dumps({
        "response": response.decode(),
        "kinds": kinds,
        "warnings": [[one.category.__name__, str(one.message), one.filename] for one in caught],
    }))

uvgrpc.install()
asyncio.run(main())
"""


def test_on_asyncios_loop_stock_is_used_with_one_warning() -> None:
    outcome = run_program(_ON_ASYNCIO)
    assert outcome.returncode == 0, outcome.err
    # Stock's core may write lines of its own to stderr.
    import json

    result = json.loads(outcome.out)
    assert result["response"] == "x"
    assert result["kinds"] == ["grpc.aio._server", "grpc.aio._channel"]
    ((category, message, _),) = result["warnings"]
    assert category == "RuntimeWarning"
    assert "uvloop.run(main())" in message
    assert "asyncio" in message


def _on_asyncio(main: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(main)


def test_strict_refuses_another_loop() -> None:
    async def install_there() -> None:
        with pytest.raises(uvgrpc.UnsupportedLoopError, match=r"uvloop\.run\(main\(\)\)"):
            uvgrpc.install(strict=True)
        assert not uvgrpc.is_installed()

    async def use_there() -> None:
        for factory in (grpc.aio.server, lambda: grpc.aio.insecure_channel("127.0.0.1:1")):
            with pytest.raises(uvgrpc.UnsupportedLoopError, match=r"asyncio.*UnixSelectorEventLoop"):
                factory()

    _on_asyncio(install_there())
    uvgrpc.install(strict=True)
    try:
        _on_asyncio(use_there())
    finally:
        uvgrpc.uninstall()
    assert issubclass(uvgrpc.UnsupportedLoopError, RuntimeError)


def test_the_api_without_install_refuses_another_loop() -> None:
    async def main() -> None:
        with pytest.raises(uvgrpc.UnsupportedLoopError, match=r"uvloop\.run"):
            uvgrpc.aio.server()
        with pytest.raises(uvgrpc.UnsupportedLoopError, match=r"uvloop\.run"):
            uvgrpc.aio.insecure_channel("127.0.0.1:1")
        with pytest.raises(uvgrpc.UnsupportedLoopError):
            uvgrpc.loop_stats()

    _on_asyncio(main())


def test_without_a_running_loop_there_are_no_counters() -> None:
    with pytest.raises(RuntimeError, match="needs a running event loop"):
        uvgrpc.loop_stats()


# ---- too late


_TOO_LATE = """
import warnings

def installed():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        uvgrpc.install()
    uvgrpc.uninstall()
    return [[one.category.__name__, str(one.message), one.filename] for one in caught]

async def main():
    none = installed()
    channels = [grpc.aio.insecure_channel("127.0.0.1:1") for _ in range(2)]
    server = grpc.aio.server()
    some = installed()
    again = installed()
    for channel in channels:
        await channel.close()
    await server.stop(None)
    return none, some, again

print(json.dumps(uvloop.run(main())), flush=True)
os._exit(0)
"""


def test_installing_too_late_is_a_warning() -> None:
    none, some, again = run_program(_TOO_LATE).result
    assert none == []
    ((category, text, filename),) = some
    assert category == "RuntimeWarning"
    assert "2 channels and 1 server of grpc.aio's own" in text
    assert filename == "<string>"
    assert again == some


def test_what_is_on_another_loop_is_not_too_early() -> None:
    outcome = run_program("""
async def main():
    channel = grpc.aio.insecure_channel("127.0.0.1:1")
    uvgrpc.install()
    await channel.close()
    print("true", flush=True)
    os._exit(0)

asyncio.run(main())
""")
    assert (outcome.returncode, outcome.out) == (0, "true\n"), outcome.err


# ---- whose an object is


class _Passing(grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        return await continuation(details, request)


@pytest.mark.usefixtures("installed")
def test_is_active_knows_uvgrpcs_objects() -> None:
    async def look(request: bytes, context: Any) -> bytes:
        assert uvgrpc.is_active(context)
        return request

    async def main() -> None:
        server = grpc.aio.server(handlers=[service(Method=look)])
        assert uvgrpc.is_active(server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        for interceptors in ([], [_Passing()]):
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", interceptors=interceptors) as channel:
                method = channel.unary_unary("/test.Service/Method")
                call = method(b"x")
                assert all(map(uvgrpc.is_active, (channel, method, call)))
                assert await call == b"x"
        await server.stop(None)

    run(main())


def test_is_active_knows_grpc_aios_objects() -> None:
    outcome = run_program("""
import warnings

async def main():
    early = [grpc.aio.insecure_channel("127.0.0.1:1"), grpc.aio.server()]
    early.append(early[0].unary_unary("/a/A"))
    early.append(early[2](b""))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        uvgrpc.install()
    print(json.dumps([uvgrpc.is_active(one) for one in (*early, None, "text", grpc.aio, int)]), flush=True)
    os._exit(0)

uvloop.run(main())
""")
    assert outcome.out == f"{[False] * 8}".lower() + "\n", outcome.err


# ---- what is private to grpc.aio, but used


@pytest.mark.usefixtures("installed")
def test_the_constructor_of_a_server_calls_nothing_that_a_subclass_overrides() -> None:
    class Recording(grpc.aio._server.Server):  # type: ignore[misc,valid-type]
        def __init__(self) -> None:
            super().__init__(None, [service(Method=echo)], (), (), None, None)
            self.ready = True

        def __getattribute__(self, name: str) -> Any:
            if not name.startswith("_"):
                assert object.__getattribute__(self, "__dict__").get("ready"), name
            return super().__getattribute__(name)

    async def main() -> None:
        server = Recording()
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            assert await channel.unary_unary("/test.Service/Method")(b"x") == b"x"
        await server.stop(None)

    run(main())


def test_the_wheel_needs_no_protobuf() -> None:
    outcome = run_program("""
class Refuse:
    def find_spec(self, name, path=None, target=None):
        assert not name.startswith("google"), name

sys.meta_path.insert(0, Refuse())
uvgrpc.install()

async def main():
    async with calling(echo) as call:
        assert await call(b"x") == b"x"

uvloop.run(main())
print(json.dumps([name for name in sys.modules if name.startswith("google")]))
""")
    assert outcome.result == []


# ---- names


def test_the_names_are_grpc_aios() -> None:
    assert set(uvgrpc.aio.__all__) == set(grpc.aio.__all__)
    own = {"init_grpc_aio", "insecure_channel", "secure_channel", "server", "shutdown_grpc_aio"}
    for name in set(grpc.aio.__all__) - own:
        assert getattr(uvgrpc.aio, name) is getattr(grpc.aio, name), name
    for name in own:
        assert callable(getattr(uvgrpc.aio, name))
    uvgrpc.aio.init_grpc_aio()
    uvgrpc.aio.shutdown_grpc_aio()


def test_public_names_exist() -> None:
    for name in uvgrpc.__all__:
        assert hasattr(uvgrpc, name), name


def test_one_symbol_is_exported() -> None:
    """Two gRPC cores live in one process: neither may see the other's symbols."""
    import ctypes

    from uvgrpc import _core

    library = ctypes.CDLL(_core.__file__)
    assert library.PyInit__core
    # A library of libuv's names would be found through the handle's dependencies.
    for name in ("grpc_init", "grpc_channel_create", "grpc_server_start"):
        assert not hasattr(library, name)


def test_init_grpc_aio_starts_no_thread() -> None:
    """Programs call it early as a workaround for hangs at exit (#22365)."""
    outcome = run_program("""
import grpc.experimental.aio
stock = grpc.aio.init_grpc_aio
uvgrpc.install()
grpc.aio.init_grpc_aio()

async def main():
    grpc.aio.init_grpc_aio()
    grpc.experimental.aio.init_grpc_aio()
    async with calling(echo) as call:
        await call(b"")
    grpc.aio.shutdown_grpc_aio()
    return len(os.listdir("/proc/self/task"))

threads = uvloop.run(main())
uvgrpc.uninstall()
print(json.dumps([threads, grpc.aio.init_grpc_aio is stock]))
""")
    assert outcome.result == [1, True]
