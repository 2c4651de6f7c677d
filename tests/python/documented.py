# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Runs one block of Python of a page, with what its comment asks for: documented.py PORT FILE [SETUP ...].

A block may await at its top level. What precedes and follows it is a context manager, found by the name
that the page's comment has; test_docs.py tells of the comments.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Names = dict[str, Any]
IN_MAIN = "in main()"
LIMIT = 20

SETUPS: dict[str, Callable[[Names, int], contextlib.AbstractContextManager[None]]] = {}
# The outcome of who calls a block's server, which does not come back from everything that ends it.
CALLED = "called: Hi you"


def setup(name: str) -> Callable[[Any], Any]:
    def add(function: Any) -> Any:
        SETUPS[name] = contextlib.contextmanager(function)
        return function

    return add


def execute(source: str, name: str, names: Names, *, in_main: bool) -> None:
    """Runs a block: as a program, or in main() where it awaits, or is said to be there."""
    if source.startswith(">>> "):
        compare(source, names)
        return
    code = compile(source, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    if not in_main and not code.co_flags & inspect.CO_COROUTINE:
        exec(code, names)
        return

    async def main() -> None:
        result = eval(code, names)
        if result is not None:
            await result

    import uvgrpc

    uvgrpc.run(main())


def compare(source: str, names: Names) -> None:
    """Evaluates `>>> ` lines in main(); what they give is as it is shown, but for numbers and `...`."""

    async def main() -> None:
        for statement, shown in re.findall(r"^>>> (.*)\n((?:(?!>>>).*\n)+)", source, re.MULTILINE):
            pattern = re.escape(" ".join(shown.split()))
            pattern = re.sub(r"\d+(\\\.\d+)?", r"[\\d.e-]+", pattern).replace(r"\.\.\.", ".*")
            given = repr(eval(statement, names))
            assert re.fullmatch(pattern, given), f"{given}\nis not\n{shown}"

    import uvgrpc

    uvgrpc.run(main())


# ---- what blocks take for granted


@setup("names")
def _names(names: Names, port: int) -> Iterator[None]:
    """Modules, generated classes, and a servicer `Greeter`."""
    import documented_names

    for name in documented_names.__all__:
        names[name] = getattr(documented_names, name)
    yield


@setup("greeter")
def _greeter(names: Names, port: int) -> Iterator[None]:
    """A server of it on the port, in a loop and thread of its own; it answers reflection."""
    import documented_names
    import uvloop
    from grpc_reflection.v1alpha import reflection

    import uvgrpc

    loop = uvloop.new_event_loop()

    async def start() -> Any:
        server = uvgrpc.server(grace=0)
        server.add_servicer(documented_names.Greeter())
        reflection.enable_server_reflection(["helloworld.Greeter", reflection.SERVICE_NAME], server)
        server.add_insecure_port(f"localhost:{port}")
        server.start()
        return server

    def on_loop(coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(LIMIT)

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = on_loop(start())
    try:
        yield
    finally:
        on_loop(server.stop(None))
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@setup("caller")
def _caller(names: Names, port: int) -> Iterator[None]:
    """Somebody who calls the server that the block runs on the port, and then ends it by SIGTERM."""
    import grpc
    import helloworld_pb2
    import helloworld_pb2_grpc

    def call() -> None:
        try:
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                stub = helloworld_pb2_grpc.GreeterStub(channel)
                request = helloworld_pb2.HelloRequest(name="you")
                one = stub.Hi(request, timeout=LIMIT, wait_for_ready=True).message
                (other,) = stub.StreamingHi(iter([request]), timeout=LIMIT)
                assert one == other.message
                print("called:", one, flush=True)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=call)
    thread.start()
    yield
    thread.join()


@setup("activation")
def _activation(names: Names, port: int) -> Iterator[None]:
    """A socket on the port as systemd gives it, and the caller."""
    listening = socket.create_server(("127.0.0.1", port))
    os.dup2(listening.fileno(), 3)
    os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
    with SETUPS["caller"](names, port):
        yield


@setup("sockets")
def _sockets(names: Names, port: int) -> Iterator[None]:
    """A `server`, `credentials`, systemd's listening socket, and one that is `connected` to the greeter."""
    import grpc

    import uvgrpc

    listening = socket.create_server(("127.0.0.1", 0))
    os.dup2(listening.fileno(), 3)
    os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
    names.update(
        server=uvgrpc.server(),
        credentials=grpc.local_server_credentials(grpc.LocalConnectionType.LOCAL_TCP),
        connected=socket.create_connection(("127.0.0.1", port)),
    )
    yield
    assert "LISTEN_FDS" not in os.environ
    assert names["channel"] is not None


@setup("served")
def _served(names: Names, port: int) -> Iterator[None]:
    """Calls the servicer `Greeter` that the block has defined."""
    yield
    import uvgrpc
    from uvgrpc import testing

    greetings = ("Hi you", "Hello, you!")

    async def main() -> None:
        servicer = names["Greeter"]()
        protos = names.get("protos")
        async with testing.serving((servicer, protos.Greeter) if protos else servicer) as channel:
            stub = names["GreeterStub"](channel)
            request = names["HelloRequest"](name="you")
            assert (await stub.Hi(request)).message in greetings
            if hasattr(servicer, "StreamingHi"):
                async with stub.StreamingHi() as call:
                    await call.send(request)
                    assert (await call.receive()).message in greetings

    uvgrpc.run(main())


@setup("is called")
def _is_called(names: Names, port: int) -> Iterator[None]:
    """Makes a call on the `channel` that the block has made."""
    yield
    import uvgrpc

    async def main() -> None:
        async with names["channel"] as channel:
            reply = await names["GreeterStub"](channel).Hi(names["HelloRequest"](name="you"))
            assert reply.message == "Hi you"

    uvgrpc.run(main())


@setup("is a test")
def _is_a_test(names: Names, port: int) -> Iterator[None]:
    """Runs the test functions that the block has defined."""
    yield
    import uvgrpc

    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert tests
    for test in tests:
        uvgrpc.run(test())


@setup("main")
def _main(names: Names, port: int) -> Iterator[None]:
    """A coroutine function `main`, which says whether grpc.aio is uvgrpc's."""

    async def main() -> None:
        import grpc

        import uvgrpc

        async with grpc.aio.insecure_channel("localhost:1") as channel:
            assert uvgrpc.is_active(channel)

    names["main"] = main
    yield


@setup("protos")
def _protos(names: Names, port: int) -> Iterator[None]:
    """`protos`, and a `request` and `requests` for its methods."""
    import uvgrpc

    protos = uvgrpc.proto("helloworld.proto")
    request = protos.HelloRequest(name="you")
    names.update(protos=protos, request=request, requests=[request, request])
    yield


@setup("a channel")
def _a_channel(names: Names, port: int) -> Iterator[None]:
    import uvgrpc

    names["channel"] = uvgrpc.insecure_channel(f"localhost:{port}")
    yield


@setup("shop")
def _shop(names: Names, port: int) -> Iterator[None]:
    """Stubs `users`, `orders` and `stub`, whose Transfer fails with details; a `request`."""
    import uvgrpc
    from uvgrpc import testing

    class Method:
        def __init__(self, answers: Callable[[], bytes]) -> None:
            self._answers = answers

        async def __call__(self, _request: bytes) -> bytes:
            path, answers = "/documented.Shop/Any", self._answers

            class Shop:
                async def Any(self, request: bytes, context: Any) -> bytes:
                    return answers()

            service = uvgrpc.Service(
                "documented.Shop", {"Any": uvgrpc.Method("Any", False, False, None, None, None, None)}
            )
            async with testing.serving((Shop(), service)) as channel:
                return await channel.unary_unary(path)(b"")

    def fails() -> bytes:
        import grpc
        from google.rpc import error_details_pb2

        details = [error_details_pb2.ErrorInfo(reason="ACCOUNT_CLOSED")]
        raise uvgrpc.RpcError(grpc.StatusCode.FAILED_PRECONDITION, "closed", details=details)

    class Stub:
        Get = List = Method(lambda: b"found")
        Transfer = Method(fails)

    names.update(users=Stub(), orders=Stub(), stub=Stub(), request=b"", user=b"")
    yield


@setup("raises RpcError")
def _raises(names: Names, port: int) -> Iterator[None]:
    import uvgrpc

    try:
        yield
    except uvgrpc.RpcError:
        return
    raise AssertionError("the block raised no RpcError")


@setup("tokens")
def _tokens(names: Names, port: int) -> Iterator[None]:
    """`fetch_token`; then the plugin that the block has defined, asked for a call's metadata."""

    async def fetch_token(url: str) -> str:
        return f"for {url}"

    names["fetch_token"] = fetch_token
    yield
    import uvgrpc

    service = uvgrpc.Service("documented.T", {"M": uvgrpc.Method("M", False, False, None, None, None, None)})

    class Servicer:
        async def M(self, request: bytes, context: Any) -> bytes:
            return dict(context.invocation_metadata())["authorization"].encode()

    async def main() -> None:
        import grpc

        local = grpc.LocalConnectionType.LOCAL_TCP
        server = uvgrpc.server()
        server.add_servicer(Servicer(), service)
        at = server.add_secure_port("127.0.0.1:0", grpc.local_server_credentials(local))
        credentials = grpc.composite_channel_credentials(
            grpc.local_channel_credentials(local), grpc.metadata_call_credentials(names["Token"]())
        )
        async with server, uvgrpc.secure_channel(f"127.0.0.1:{at}", credentials) as channel:
            answer = await channel.unary_unary("/documented.T/M")(b"")
            assert answer.startswith(b"Bearer for ")

    uvgrpc.run(main())


@setup("certificates")
def _certificates(names: Names, port: int) -> Iterator[None]:
    """server.key and server.pem; then a server with the block's `credentials`, while they change."""
    import trustme

    def write() -> bytes:
        authority = trustme.CA()
        made = authority.issue_cert("localhost")
        made.private_key_pem.write_to_path("server.key")
        Path("server.pem").write_bytes(b"".join(pem.bytes() for pem in made.cert_chain_pems))
        return authority.cert_pem.bytes()

    old = write()
    yield
    import grpc

    import uvgrpc

    async def main() -> None:
        server = uvgrpc.server(grace=None)
        at = server.add_secure_port("localhost:0", names["credentials"])
        server.start()

        async def code(roots: bytes) -> grpc.StatusCode:
            credentials = grpc.ssl_channel_credentials(roots)
            async with uvgrpc.secure_channel(f"localhost:{at}", credentials) as channel:
                call = channel.unary_unary("/no.Service/Method")(b"")
                return await call.code()

        async with server:
            assert await code(old) is grpc.StatusCode.UNIMPLEMENTED
            new = write()
            assert await code(new) is grpc.StatusCode.UNIMPLEMENTED
            assert await code(old) is grpc.StatusCode.UNAVAILABLE

    uvgrpc.run(main())


@setup("generated")
def _generated(names: Names, port: int) -> Iterator[None]:
    """The block's classes have what those of helloworld_uvgrpc have, with the same types."""
    yield

    def members(tree: ast.Module) -> dict[str, str]:
        found = {}
        for one in tree.body:
            for member in one.body if isinstance(one, ast.ClassDef) else []:
                if isinstance(member, ast.AnnAssign):
                    key, said = ast.unparse(member.target), ast.unparse(member.annotation)
                elif isinstance(member, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    key, said = member.name, f"{ast.unparse(member.args)} -> {ast.unparse(member.returns)}"
                else:
                    continue
                found[f"{one.name}.{key}"] = said.replace("_pb2_", "pb2")
        return found

    shown = members(ast.parse(names["__source__"]))
    written = members(ast.parse(Path("helloworld_uvgrpc.py").read_text()))
    assert shown
    assert shown == {key: written.get(key) for key in shown}


def main(port: str, path: str, *asked: str) -> None:
    source = Path(path).read_text()
    names: Names = {"__name__": "__main__", "__source__": source}
    with contextlib.ExitStack() as stack:
        for name in asked:
            if name != IN_MAIN:
                stack.enter_context(SETUPS[name](names, int(port)))
        execute(source, path, names, in_main=IN_MAIN in asked)


if __name__ == "__main__":
    main(*sys.argv[1:])
