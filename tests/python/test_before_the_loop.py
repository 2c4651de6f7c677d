# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Channels and servers that are made before their loop runs, on any loop."""

from __future__ import annotations

import asyncio
import gc
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import tls
import uvloop
from support import echo, open_files, run, run_program, service

import uvgrpc
from uvgrpc import aio

pytestmark = pytest.mark.uvgrpc_only

METHOD = "/test.Service/Method"

# Each in a process of its own: grpc.aio as it is has threads.
_PROGRAM = """
import warnings
warnings.simplefilter("ignore", RuntimeWarning)
from rig import ARITIES, echo_of, result_of

uvgrpc.install()
waits, runs = {waits!r}, {runs!r}
factories = {{"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}}
if waits:
    loop = factories[waits]()
    asyncio.set_event_loop(loop)

table = {{arity: echo_of(arity) for arity in ARITIES}}
server = grpc.aio.server(handlers=[service(**table)])
assert isinstance(server, grpc.aio.Server)
port = server.add_insecure_port("127.0.0.1:0")
channel = grpc.aio.insecure_channel(f"127.0.0.1:{{port}}")
assert isinstance(channel, grpc.aio.Channel)
assert channel._loop is (loop if waits else None)
stubs = {{arity: getattr(channel, arity)("/test.Service/" + arity) for arity in ARITIES}}
early = [uvgrpc.is_active(one) for one in (server, channel)]

async def main():
    await server.start()
    for arity, stub in stubs.items():
        given = b"x" if arity.startswith("unary") else iter([b"x"])
        assert await result_of(stub(given, timeout=10)) == b"x", arity
    assert channel.get_state() is grpc.ChannelConnectivity.READY
    assert channel._loop is server._loop is asyncio.get_running_loop()
    assert not channel._channel.closed()
    assert server._server.is_running()
    late = [uvgrpc.is_active(one) for one in (server, channel, stubs["unary_unary"])]
    await channel.close()
    assert channel._channel.closed()
    await server.stop(None)
    await server.wait_for_termination()
    return [early, late, len(os.listdir("/proc/self/task"))]

if waits:
    print(json.dumps(loop.run_until_complete(main())))
else:
    with asyncio.Runner(loop_factory=factories[runs]) as runner:
        print(json.dumps(runner.run(main())))
"""


def _program(waits: str | None, runs: str) -> Any:
    import json

    outcome = run_program(_PROGRAM.format(waits=waits, runs=runs), limit=60)
    assert outcome.returncode == 0, outcome.err
    return json.loads(outcome.out)


@pytest.mark.parametrize("waits", ["uvloop", None])
def test_what_is_made_before_uvloops_loop_runs_is_uvgrpcs(waits: str | None) -> None:
    assert _program(waits, "uvloop") == [[True, True], [True] * 3, 1]


def test_what_is_made_while_asyncios_loop_waits_is_grpc_aios() -> None:
    early, late, _ = _program("asyncio", "asyncio")
    assert (early, late) == ([False, False], [False] * 3)


def test_what_is_made_without_any_loop_can_become_grpc_aios() -> None:
    early, late, _ = _program(None, "asyncio")
    assert (early, late) == ([True, True], [False] * 3)


def test_interceptors_of_a_channel_that_becomes_grpc_aios_are_asked() -> None:
    """Also those that are added to the channel's lists later, as GAPIC does."""
    outcome = run_program("""
import warnings
warnings.simplefilter("ignore", RuntimeWarning)

class Note(grpc.aio.UnaryUnaryClientInterceptor):
    def __init__(self, name):
        self.name = name
    async def intercept_unary_unary(self, continuation, details, request):
        seen.append(self.name)
        return await continuation(details, request)

uvgrpc.install()
seen = []
channel = grpc.aio.insecure_channel("127.0.0.1:1", interceptors=[Note("first")])
method = channel.unary_unary("/a/A")
channel._unary_unary_interceptors.append(Note("second"))

async def main():
    for stub in (method, channel.unary_unary("/a/A")):
        assert await stub(b"").code() is grpc.StatusCode.UNAVAILABLE
    assert not uvgrpc.is_active(channel)
    await channel.close()
    print(json.dumps(seen), flush=True)

asyncio.run(main())
""")
    assert outcome.returncode == 0, outcome.err
    assert outcome.out == '["first", "second", "first", "second"]\n'


def test_a_channel_made_at_import_serves_loops_of_both_kinds() -> None:
    outcome = run_program("""
import warnings
warnings.simplefilter("ignore", RuntimeWarning)

uvgrpc.install()
channel = grpc.aio.insecure_channel("127.0.0.1:1")
method = channel.unary_unary("/a/A")

async def main():
    assert await method(b"").code() is grpc.StatusCode.UNAVAILABLE
    return uvgrpc.is_active(channel)

print(json.dumps([run(main()) for run in (uvloop.run, asyncio.run, asyncio.run, uvloop.run)]), flush=True)
os._exit(0)
""")
    assert outcome.out == "[true, false, false, true]\n", outcome.err


def test_subclasses_work_on_asyncios_loop_too() -> None:
    outcome = run_program("""
import warnings
warnings.simplefilter("ignore", RuntimeWarning)
uvgrpc.install()
from grpc.aio._channel import Channel
from grpc.aio._server import Server

class OwnServer(Server):
    def __init__(self):
        super().__init__(None, (), (), (), None, None)
        self.names = []
    def add_generic_rpc_handlers(self, handlers):
        self.names += [handler.service_name() for handler in handlers]
        super().add_generic_rpc_handlers(handlers)

class OwnChannel(Channel):
    pass

async def main():
    server = OwnServer()
    server.add_generic_rpc_handlers([service(Method=echo)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with OwnChannel(f"127.0.0.1:{port}", (), None, None, None) as channel:
        assert await channel.unary_unary("/test.Service/Method")(b"x", timeout=10) == b"x"
    await server.stop(None)
    return server.names

print(json.dumps([run(main()) for run in (asyncio.run, uvloop.run)]), flush=True)
""")
    assert outcome.returncode == 0, outcome.err
    assert outcome.out == '[["test.Service"], ["test.Service"]]\n'


# ---- which loop


@pytest.fixture
def installed() -> Iterator[None]:
    uvgrpc.install()
    yield
    uvgrpc.uninstall()


def _given_to_the_thread() -> dict[str, Any]:
    """What asyncio has noted about this thread's loop."""
    with warnings.catch_warnings():
        # From Python 3.14 on one must not ask.
        warnings.simplefilter("ignore", DeprecationWarning)
        policy: Any = asyncio.get_event_loop_policy()
    return vars(policy._local).copy()


@pytest.mark.usefixtures("installed")
def test_no_loop_is_made_and_nobody_is_warned() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = _given_to_the_thread()
        channel = grpc.aio.insecure_channel("127.0.0.1:1")
        server = grpc.aio.server()
        assert _given_to_the_thread() == before
    assert channel._loop is None
    assert server._loop is None


@pytest.mark.usefixtures("installed")
def test_a_loop_that_is_closed_counts_for_none() -> None:
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.close()
    try:
        assert grpc.aio.insecure_channel("127.0.0.1:1")._loop is None
        assert grpc.aio.server()._loop is None
    finally:
        asyncio.set_event_loop(None)


def test_a_channel_made_for_a_loop_that_never_runs_takes_the_one_that_does() -> None:
    waiting = uvloop.new_event_loop()
    asyncio.set_event_loop(waiting)
    try:
        channel = aio.insecure_channel("127.0.0.1:1")
        assert channel._loop is waiting
    finally:
        asyncio.set_event_loop(None)

    async def main() -> None:
        assert await channel.unary_unary("/a/A")(b"").code() is grpc.StatusCode.UNAVAILABLE
        assert channel._loop is asyncio.get_running_loop()
        await channel.close()

    run(main())
    waiting.close()


def test_a_call_may_be_made_before_its_loop_runs() -> None:
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        server = aio.server(handlers=[service(Method=echo)])
        port = server.add_insecure_port("127.0.0.1:0")
        loop.run_until_complete(server.start())
        channel = aio.insecure_channel(f"127.0.0.1:{port}")
        call = channel.unary_unary(METHOD)(b"x")

        async def result() -> Any:
            return await call

        assert loop.run_until_complete(result()) == b"x"
        assert channel.get_state() is grpc.ChannelConnectivity.READY
        loop.run_until_complete(channel.close())
        loop.run_until_complete(server.stop(None))
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def test_a_channel_without_any_loop_is_idle_and_cannot_connect() -> None:
    channel = aio.insecure_channel("127.0.0.1:1")
    assert channel.get_state() is grpc.ChannelConnectivity.IDLE
    with pytest.raises(RuntimeError, match="needs a running event loop"):
        channel.get_state(try_to_connect=True)
    with pytest.raises(RuntimeError, match="needs a running event loop"):
        channel.unary_unary(METHOD)(b"")


def test_without_install_another_loop_is_refused_at_the_first_use() -> None:
    channel = aio.insecure_channel("127.0.0.1:1")
    server = aio.server()

    async def main() -> None:
        with pytest.raises(uvgrpc.UnsupportedLoopError, match=r"uvloop\.run"):
            channel.unary_unary(METHOD)(b"")
        with pytest.raises(uvgrpc.UnsupportedLoopError, match=r"uvloop\.run"):
            await server.start()

    asyncio.run(main())


def test_strict_refuses_another_loop_at_the_first_use() -> None:
    uvgrpc.install(strict=True)
    try:
        channel, server = grpc.aio.insecure_channel("127.0.0.1:1"), grpc.aio.server()

        async def main() -> None:
            with pytest.raises(uvgrpc.UnsupportedLoopError):
                channel.unary_unary(METHOD)(b"")
            with pytest.raises(uvgrpc.UnsupportedLoopError):
                await server.start()

        asyncio.run(main())
    finally:
        uvgrpc.uninstall()


# ---- ports of a server without a loop


def _connects(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


async def _answers(server: Any, target: str, **channel: Any) -> None:
    await server.start()
    make = aio.secure_channel if channel else aio.insecure_channel
    async with make(target, **channel) as client:
        assert await client.unary_unary(METHOD)(b"x", timeout=20) == b"x"
    await server.stop(None)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "0.0.0.0", "[::]"])
@pytest.mark.parametrize("reuse", [0, 1])
def test_a_port_is_known_and_reserved_at_once(host: str, reuse: int) -> None:
    server = aio.server(handlers=[service(Method=echo)], options=(("grpc.so_reuseport", reuse),))
    port = server.add_insecure_port(f"{host}:0")
    assert port > 0
    family = socket.AF_INET6 if "[" in host else socket.AF_INET
    with socket.socket(family) as other, pytest.raises(OSError, match="in use"):
        other.bind((host.strip("[]"), port))
    assert not _connects(port)
    target = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)
    run(_answers(server, f"{target}:{port}"))


@pytest.mark.pool_threads
def test_a_name_has_one_port_for_all_of_its_addresses() -> None:
    server = aio.server(handlers=[service(Method=echo)])
    port = server.add_insecure_port("localhost:0")
    run(_answers(server, f"127.0.0.1:{port}"))


@pytest.mark.pool_threads
def test_a_secure_port_is_reserved_too() -> None:
    server = aio.server(handlers=[service(Method=echo)])
    port = server.add_secure_port("127.0.0.1:0", tls.server_tls())
    run(_answers(server, f"localhost:{port}", credentials=tls.channel_tls()))


def test_a_unix_socket_before_the_loop(tmp_path: Path) -> None:
    server = aio.server(handlers=[service(Method=echo)])
    assert server.add_insecure_port(f"unix:{tmp_path}/socket") > 0
    run(_answers(server, f"unix:{tmp_path}/socket"))


@pytest.mark.parametrize("address", ["127.0.0.1:{}", "192.0.2.1:0", "unix:/no/such/folder/socket"])
def test_an_address_that_cannot_be_had_is_refused_at_once(address: str) -> None:
    server = aio.server()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(RuntimeError, match="Failed to bind to address"):
            server.add_insecure_port(address.format(taken.getsockname()[1]))


def test_several_ports_and_handlers_of_every_kind_before_the_loop() -> None:
    async def other(request: bytes, context: Any) -> bytes:
        return b"other"

    server = aio.server()
    server.add_generic_rpc_handlers([service(Method=echo)])
    server.add_registered_method_handlers(
        "test.Registered", {"Method": grpc.unary_unary_rpc_method_handler(other)}
    )
    ports = [server.add_insecure_port("127.0.0.1:0") for _ in range(3)]
    assert len(set(ports)) == 3

    async def main() -> None:
        await server.start()
        for port in ports:
            async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                assert await channel.unary_unary(METHOD)(b"x") == b"x"
                assert await channel.unary_unary("/test.Registered/Method")(b"x") == b"other"
        await server.stop(None)

    run(main())


def test_reserved_ports_are_given_back() -> None:
    before = open_files()
    servers = [aio.server() for _ in range(2)]
    ports = [server.add_insecure_port("127.0.0.1:0") for server in servers]

    async def main() -> None:
        await servers[0].stop(None)
        assert await servers[0].wait_for_termination() is False
        with pytest.raises(aio.UsageError, match="not in ready state"):
            await servers[0].start()
        with pytest.raises(RuntimeError, match="was stopped"):
            servers[0].add_insecure_port("127.0.0.1:0")

    run(main())
    servers.clear()
    gc.collect()
    for port in ports:
        with socket.socket() as other:
            other.bind(("127.0.0.1", port))
    assert open_files() == before


@pytest.mark.writes_stderr
def test_a_start_that_cannot_bind_may_be_tried_again(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    server = aio.server(handlers=[service(Method=echo)])
    server.add_insecure_port(f"unix:{folder}/socket")
    folder.rmdir()

    async def main() -> None:
        with pytest.raises(RuntimeError, match="Failed to bind to address unix:"):
            await server.start()
        folder.mkdir()
        await _answers(server, f"unix:{folder}/socket")

    run(main())


def test_wait_for_termination_may_come_before_start() -> None:
    server = aio.server(handlers=[service(Method=echo)])
    port = server.add_insecure_port("127.0.0.1:0")

    async def main() -> None:
        waiting = asyncio.create_task(server.wait_for_termination())
        await asyncio.sleep(0)
        await _answers(server, f"127.0.0.1:{port}")
        assert await waiting is False

    run(main())


def test_a_server_made_by_a_parent_serves_in_its_children() -> None:
    """As with a prefork server whose application is imported before the fork."""
    outcome = run_program("""
from forking import *

server = aio.server(handlers=[service(Method=echo)])
port = server.add_insecure_port("127.0.0.1:0")

async def serve():
    await server.start()
    os.write(ready[1], b"x")
    await asyncio.sleep(30)

ready = os.pipe()
workers = []
for _ in range(2):
    pid = os.fork()
    if pid == 0:
        uvloop.run(serve())
        os._exit(0)
    workers.append(pid)
for _ in workers:
    os.read(ready[0], 1)

async def main():
    async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        print(json.dumps((await channel.unary_unary("/test.Service/Method")(b"x", timeout=10)).decode()))

uvloop.run(main())
for pid in workers:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
""")
    assert outcome.result == "x"
