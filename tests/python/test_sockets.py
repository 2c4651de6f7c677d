# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Servers on sockets that the process was given."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from own_sockets import UU, answers, answers_itself, bound, server_of, serving
from support import LIMIT, environment, error_of, open_files, run, run_program, until
from tls import channel_tls, localhost, server_tls

import uvgrpc
from uvgrpc.aio._ports import duplicate

pytestmark = pytest.mark.uvgrpc_only


# ---- listening


@pytest.mark.parametrize("listens", [True, False])
@pytest.mark.parametrize("given", ["socket", "descriptor", "asyncio's"])
def test_a_server_listens_on_a_socket(given: str, listens: bool) -> None:
    async def main() -> None:
        own = bound(listen=listens)
        server = server_of()
        if given == "asyncio's":
            other = await asyncio.start_server(lambda _r, w: w.close(), sock=own, start_serving=False)
            port = server.add_socket(other.sockets[0])
            other.close()
        else:
            port = server.add_socket(own if given == "socket" else own.fileno())
        assert port == own.getsockname()[1] if given != "asyncio's" else port > 0
        # It is the caller's, and may go.
        own.close()
        async with server:
            assert await answers(f"127.0.0.1:{port}")
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0

    run(main())


@pytest.mark.parametrize(
    ("address", "target"), [("::1", "[::1]"), ("::", "127.0.0.1"), ("::", "[::1]"), ("0.0.0.0", "127.0.0.1")]
)
def test_other_addresses(address: str, target: str) -> None:
    async def main() -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with bound(family, (address, 0)) as own:
            async with serving(own) as port:
                assert port == own.getsockname()[1]
                assert await answers(f"{target}:{port}")

    run(main())


def test_only_ipv6_stays_only_ipv6() -> None:
    async def main() -> None:
        own = socket.socket(socket.AF_INET6)
        own.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        own.bind(("::", 0))
        with own:
            async with serving(own) as port:
                assert await answers(f"[::1]:{port}")
                with socket.socket() as probe:
                    assert probe.connect_ex(("127.0.0.1", port)) != 0

    run(main())


def test_unix_sockets(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")

    async def main() -> None:
        with bound(socket.AF_UNIX, path) as own:
            async with serving(own) as port:
                assert port == 1
                assert await answers(f"unix:{path}")
            # Its file is that of whoever made it.
            assert "socket" in os.listdir(tmp_path)
            async with serving(own):
                assert await answers(f"unix:{path}")
        name = f"\0uvgrpc-test-{os.getpid()}"
        with bound(socket.AF_UNIX, name) as own:
            async with serving(own):
                assert await answers(f"unix-abstract:{name[1:]}")

    run(main())


def test_tls_on_a_socket() -> None:
    async def main() -> None:
        peers: list[Any] = []

        async def handler(request: bytes, context: Any) -> bytes:
            peers.append(context.peer_identities())
            return request

        with bound() as own:
            async with serving(own, server_tls(mutual=True), handler) as port:
                assert await answers(f"127.0.0.1:{port}", channel_tls(localhost()))
                assert b"localhost" in peers[0]
                async with uvgrpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                    error = await error_of(channel.unary_unary(UU)(b"", timeout=LIMIT))
                    assert error.code() is grpc.StatusCode.UNAVAILABLE

    run(main())


def test_several_sockets_and_ports() -> None:
    async def main() -> None:
        with bound() as first, bound(listen=True) as second:
            server = server_of(grace=None)
            ports = [
                server.add_socket(first),
                server.add_socket(second, server_tls()),
                server.add_insecure_port("127.0.0.1:0"),
            ]
            async with server:
                assert await answers(f"127.0.0.1:{ports[0]}")
                assert await answers(f"127.0.0.1:{ports[1]}", channel_tls())
                assert await answers(f"127.0.0.1:{ports[2]}")

    run(main())


def test_connections_that_wait_are_accepted() -> None:
    async def main() -> None:
        with bound(listen=True) as own:
            clients = [socket.create_connection(own.getsockname()) for _ in range(3)]
            async with serving(own):
                for client in clients:
                    channel = uvgrpc.channel_from_socket(client)
                    client.close()
                    assert await channel.unary_unary(UU)(b"x", timeout=LIMIT) == b"x"
                    await channel.close()

    run(main())


def test_a_server_that_is_made_before_its_loop() -> None:
    own = bound()
    server = server_of(grace=None)
    port = server.add_socket(own)
    own.close()

    async def main() -> None:
        async with server:
            assert await answers(f"127.0.0.1:{port}")

    run(main())


def test_a_server_that_never_runs_lets_go() -> None:
    files = open_files()
    own = bound()
    server = server_of()
    server.add_socket(own)
    own.close()
    assert open_files() > files
    del server
    gc.collect()
    assert open_files() == files

    async def main() -> None:
        files = open_files()
        own = bound()
        server = server_of()
        server.add_socket(own)
        own.close()
        del server
        await until(lambda: gc.collect() is not None and open_files() == files)

    async def warm() -> None:
        await answers_itself()

    run(warm())
    run(main())


def test_a_socket_may_be_used_again() -> None:
    async def main() -> None:
        with bound() as own:
            for _ in range(3):
                async with serving(own) as port:
                    assert await answers(f"127.0.0.1:{port}")

    run(main())


# ---- what is wrong with a socket


# What it is, made within a stack that closes it; the error; its text.
WRONG: dict[str, tuple[Callable[[contextlib.ExitStack], Any], type[Exception], str]] = {
    "closed": (lambda _: _closed(), ValueError, "the socket is closed"),
    "no descriptor": (lambda _: 987654, ValueError, "987654 is no open file descriptor"),
    "negative": (lambda _: -1, ValueError, "-1 is no open file descriptor"),
    "huge": (lambda _: 2**70, ValueError, "is no open file descriptor"),
    "file": (lambda s: _file(s), ValueError, r"file descriptor \d+ is no socket"),
    "datagrams": (
        lambda s: s.enter_context(socket.socket(type=socket.SOCK_DGRAM)),
        ValueError,
        "a stream socket is needed, this one is a SOCK_DGRAM",
    ),
    "packets": (
        lambda s: s.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)),
        ValueError,
        "SOCK_SEQPACKET",
    ),
    "netlink": (
        lambda s: s.enter_context(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)),
        ValueError,
        "this one is of the family AF_NETLINK",
    ),
    "not bound": (lambda s: s.enter_context(socket.socket()), ValueError, "the socket is not bound"),
    "not bound, Unix": (
        lambda s: s.enter_context(socket.socket(socket.AF_UNIX)),
        ValueError,
        "the socket is not bound",
    ),
    "pair": (
        lambda s: _pair(s)[0],
        ValueError,
        r"connected, to a socket without a name.*channel_from_socket",
    ),
    "connected": (
        lambda s: s.enter_context(
            socket.create_connection(s.enter_context(bound(listen=True)).getsockname())
        ),
        ValueError,
        r"connected, to 127\.0\.0\.1:\d+",
    ),
    "text": (lambda _: "127.0.0.1:80", TypeError, "a socket or a file descriptor is needed, got str"),
    "bool": (lambda _: True, TypeError, "got bool"),
}


def _file(stack: contextlib.ExitStack) -> int:
    descriptor = os.open(os.devnull, os.O_RDONLY)
    stack.callback(os.close, descriptor)
    return descriptor


def _pair(stack: contextlib.ExitStack) -> list[socket.socket]:
    return [stack.enter_context(end) for end in socket.socketpair()]


def _closed() -> socket.socket:
    own = socket.socket()
    own.close()
    return own


@pytest.mark.parametrize("wrong", WRONG)
def test_a_socket_that_a_server_cannot_listen_on(wrong: str) -> None:
    make, kind, text = WRONG[wrong]

    async def main() -> None:
        with contextlib.ExitStack() as stack:
            given = make(stack)
            server = server_of()
            files = open_files()
            with pytest.raises(kind, match=text):
                server.add_socket(given)
            assert open_files() == files
            await server.stop(None)

    run(main())


def test_a_socket_belongs_to_one_server() -> None:
    async def main() -> None:
        with bound() as own:
            async with serving(own):
                other = server_of()
                with pytest.raises(RuntimeError, match=r"another server listens on this.*SO_REUSEPORT"):
                    other.add_socket(own)
                with pytest.raises(RuntimeError, match="another server"):
                    other.add_socket(os.dup(own.fileno()))
            port = other.add_socket(own)
            async with other:
                assert await answers(f"127.0.0.1:{port}")

    run(main())


def test_a_server_that_takes_no_more_ports() -> None:
    async def main() -> None:
        with bound() as own:
            server = server_of()
            server.start()
            with pytest.raises(RuntimeError, match="the server has started"):
                server.add_socket(own)
            await server.stop(None)
            with pytest.raises(RuntimeError, match="the server was stopped"):
                server.add_socket(own)
            async with serving(own) as port:
                assert await answers(f"127.0.0.1:{port}")

    run(main())


def test_a_port_that_is_taken() -> None:
    async def main() -> None:
        first, second = socket.socket(), socket.socket()
        for own in (first, second):
            own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        first.bind(("127.0.0.1", 0))
        second.bind(first.getsockname())
        first.listen()
        server = server_of()
        with pytest.raises(OSError, match=r"Failed to listen at 127\.0\.0\.1:\d+: Address already in use"):
            server.add_socket(second)
        await server.stop(None)
        first.close()
        second.close()

    run(main())


# ---- several processes

_PRE_FORK = """
import signal, socket, sys
own = socket.socket()
own.bind(("127.0.0.1", 0))
own.listen()

async def child():
    async def pid(request, context):
        return b"%d" % os.getpid()
    server = uvgrpc.server(grace=5)
    server.add_registered_method_handlers("test.Service", {"UU": unary(pid)})
    server.add_socket(own)
    async with server:
        end = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end.set)
        await end.wait()

children = []
for _ in range(2):
    pid = os.fork()
    if pid == 0:
        uvloop.run(child())
        os._exit(0)
    children.append(pid)

async def parent():
    port = own.getsockname()[1]
    own.close()
    seen = set()
    deadline = time.monotonic() + 60
    while len(seen) < 2 and time.monotonic() < deadline:
        # A channel of its own each, connections are shared by the kernel.
        options = (("grpc.use_local_subchannel_pool", 1),)
        async with uvgrpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
            seen.add(int(await channel.unary_unary("/test.Service/UU")(b"", timeout=20)))
    assert seen == set(children)
    for pid in children:
        os.kill(pid, signal.SIGTERM)
    for pid in children:
        assert os.waitpid(pid, 0)[1] == 0

uvloop.run(parent())
print(json.dumps("done"))
"""


def test_two_children_serve_a_socket_that_was_made_before_the_fork() -> None:
    assert run_program(_PRE_FORK).result == "done"


def test_a_socket_that_others_make_block_does_not_block_the_loop() -> None:
    """Whether it blocks is a property of the socket, not of a process's descriptor of it."""

    async def main() -> None:
        with bound(listen=True) as common:
            async with serving(common) as port:
                for _ in range(3):
                    common.setblocking(True)
                    async with uvgrpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                        assert await channel.unary_unary(UU)(b"x", timeout=20) == b"x"

    run(main())


@pytest.mark.parametrize("blocks", [False, True])
def test_whether_a_socket_blocks_is_left_as_it_is(blocks: bool) -> None:
    """Another process that serves it as well would hang in accept() meanwhile."""
    with socket.create_server(("127.0.0.1", 0)) as common:
        common.setblocking(blocks)
        # What uvgrpc makes of it knows nothing of how it was set.
        with socket.socket(fileno=os.dup(common.fileno())) as own, duplicate(own):
            assert os.get_blocking(common.fileno()) is blocks


def test_the_parent_of_a_fork_serves_on() -> None:
    program = """
    import socket
    own = socket.socket()
    own.bind(("127.0.0.1", 0))

    def serve(name, end):
        async def main():
            async def method(request, context):
                return name
            server = uvgrpc.server(grace=None)
            server.add_registered_method_handlers("test.Service", {"UU": unary(method)})
            port = server.add_socket(own)
            async with server:
                await end(port)
        return main()

    async def call(port):
        async with uvgrpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            return await channel.unary_unary("/test.Service/UU")(b"", timeout=20)

    async def in_parent(port):
        assert await call(port) == b"parent"
        pid = os.fork()
        if pid == 0:
            own.close()
            sys.exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        assert await call(port) == b"parent"

    uvloop.run(serve(b"parent", in_parent))

    # A child of a process that has served takes the socket for itself.
    pid = os.fork()
    if pid == 0:
        async def in_child(port):
            assert await call(port) == b"child"
        uvloop.run(serve(b"child", in_child))
        own.close()
        sys.exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    own.close()
    print(json.dumps("done"))
    """
    assert run_program(textwrap.dedent(program)).result == "done"


# ---- socket activation

_ACTIVATED = """
import asyncio, json, os, socket, sys
import grpc, uvloop, uvgrpc

async def main():
    async def method(request, context):
        return request
    server = uvgrpc.server(grace=None)
    server.add_registered_method_handlers("test.Service", {"UU": grpc.unary_unary_rpc_method_handler(method)})
    sockets = uvgrpc.listen_fds()
    told = {
        "names": [own.name for own in sockets],
        "inheritable": [os.get_inheritable(own.fileno()) for own in sockets],
        "left": [name for name in os.environ if name.startswith("LISTEN_")],
        "again": len(uvgrpc.listen_fds()),
        "ports": [server.add_socket(own) for own in sockets],
    }
    for own in sockets:
        own.close()
    async with server:
        print(json.dumps(told), flush=True)
        await asyncio.to_thread(sys.stdin.read)

uvloop.run(main())
"""

# Puts descriptors where systemd does, says whom they are for, and becomes the program.
_LAUNCHER = """
import fcntl, os, sys
given = [int(text) for text in sys.argv[1].split(",")]
# Out of the way of the numbers that are wanted.
copies = [fcntl.fcntl(fd, fcntl.F_DUPFD, 100) for fd in given]
for place, copy in enumerate(copies):
    os.dup2(copy, 3 + place)
environ = {**os.environ, "LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(given))}
if sys.argv[2]:
    environ["LISTEN_FDNAMES"] = sys.argv[2]
os.execve(sys.executable, [sys.executable, "-W", "error", "-c", sys.argv[3]], environ)
"""


@contextlib.contextmanager
def activated(sockets: list[socket.socket], names: str, program: str = _ACTIVATED) -> Iterator[Any]:
    descriptors = [own.fileno() for own in sockets]
    with subprocess.Popen(
        [sys.executable, "-c", _LAUNCHER, ",".join(map(str, descriptors)), names, program],
        pass_fds=descriptors,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())
        finally:
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(LIMIT) == 0


@pytest.mark.parametrize("names", ["grpc:admin", ""])
def test_socket_activation(names: str, tmp_path: Path) -> None:
    async def call(target: str) -> None:
        assert await answers(target)

    path = str(tmp_path / "admin")
    with bound(listen=True) as own, bound(socket.AF_UNIX, path, listen=True) as admin:
        with activated([own, admin], names) as told:
            assert told == {
                "names": names.split(":") if names else ["unknown"] * 2,
                "inheritable": [False, False],
                "left": [],
                "again": 0,
                "ports": [own.getsockname()[1], 1],
            }
            run(call(f"127.0.0.1:{own.getsockname()[1]}"))
            run(call(f"unix:{path}"))
        # The service manager starts it again when somebody connects.
        with activated([own, admin], names):
            run(call(f"127.0.0.1:{own.getsockname()[1]}"))


def test_a_process_that_was_not_started_with_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LISTEN_FDS", raising=False)
    assert uvgrpc.listen_fds() == []
    monkeypatch.setenv("LISTEN_FDS", "0")
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    assert uvgrpc.listen_fds() == []
    assert "LISTEN_FDS" not in os.environ
    assert "LISTEN_PID" not in os.environ


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({"LISTEN_FDS": "1", "LISTEN_PID": "1"}, r"LISTEN_PID is 1, and this is \d+.*exec"),
        ({"LISTEN_FDS": "1", "LISTEN_PID": ""}, "LISTEN_PID is not set"),
        ({"LISTEN_FDS": "one", "LISTEN_PID": "own"}, "LISTEN_FDS must be a number, got 'one'"),
        ({"LISTEN_FDS": "-1", "LISTEN_PID": "own"}, "LISTEN_FDS must be a number"),
        ({"LISTEN_FDS": "1", "LISTEN_PID": "own", "LISTEN_FDNAMES": "a:b"}, "2 names for 1 descriptors"),
    ],
)
def test_variables_that_are_wrong(
    variables: dict[str, str], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, str(os.getpid()) if value == "own" else value)
    with pytest.raises(RuntimeError, match=text):
        uvgrpc.listen_fds()
    assert os.environ["LISTEN_FDS"] == variables["LISTEN_FDS"]


def test_a_descriptor_that_is_no_socket() -> None:
    program = """
import json, os, sys, uvgrpc
try:
    uvgrpc.listen_fds()
except RuntimeError as error:
    print(json.dumps(str(error)), flush=True)
sys.stdin.read()
"""
    with Path(os.devnull).open() as nothing, activated([nothing], "x", program) as told:  # type: ignore[list-item]
        assert told == "descriptor 3 (x) of LISTEN_FDS: file descriptor 3 is no socket"
