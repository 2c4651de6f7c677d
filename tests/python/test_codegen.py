# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Generated stubs and servicers at work."""

from __future__ import annotations

import contextlib
import importlib
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import grpc.aio
import pytest
from generating import TYPED, generate
from support import error_of, run

import uvgrpc

pytestmark = pytest.mark.uvgrpc_only


@pytest.fixture(scope="module", autouse=True)
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("generated")
    generate(folder, "python", "grpc_python", "uvgrpc")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(TYPED)
        patch.syspath_prepend(folder)
        yield


@pytest.fixture(scope="module")
def greeters() -> Any:
    return importlib.import_module("greeters")


@contextlib.asynccontextmanager
async def serving(*servicers: Any) -> AsyncIterator[str]:
    server = uvgrpc.server()
    for servicer in servicers:
        server.add_servicer(servicer)
    port = server.add_insecure_port("127.0.0.1:0")
    async with server:
        yield f"127.0.0.1:{port}"


@pytest.mark.parametrize("name", ["Yielding", "Sending", "Mixed"])
def test_a_servicer_of_each_shape_serves_a_stub(greeters: Any, name: str) -> None:
    async def main() -> None:
        async with serving(getattr(greeters, name)()) as target, uvgrpc.insecure_channel(target) as channel:
            assert await greeters.converse(channel) == greeters.EXPECTED
            assert await greeters.converse_as_stock(channel) == greeters.EXPECTED

    run(main())


def test_a_stub_on_a_channel_of_grpc_aio(greeters: Any) -> None:
    async def main() -> None:
        async with (
            serving(greeters.Sending()) as target,
            grpc.aio.insecure_channel(target) as stock,
            uvgrpc.aio.insecure_channel(target) as channel,
        ):
            assert type(stock).__module__.startswith("grpc.aio")
            assert await greeters.converse_as_stock(stock) == greeters.EXPECTED
            assert await greeters.converse_as_stock(channel) == greeters.EXPECTED

    run(main())


def test_an_override_calls_what_it_overrides(greeters: Any) -> None:
    async def main() -> None:
        async with (
            serving(greeters.Polite()) as target,
            uvgrpc.insecure_channel(target) as channel,
            greeters.GreeterStub(channel).Chat() as chat,
        ):
            await chat.send(greeters.HelloRequest(name="a"))
            assert (await chat.receive()).message == "hi a, please"

    run(main())


def test_methods_that_are_not_overridden_are_unimplemented(greeters: Any) -> None:
    async def main() -> None:
        async with serving(greeters.Partial()) as target, uvgrpc.insecure_channel(target) as channel:
            stub = greeters.GreeterStub(channel)
            request = greeters.HelloRequest(name="a")
            found = await error_of(stub.Hi(request))
            assert (found.code(), found.details()) == (grpc.StatusCode.NOT_FOUND, "no a")
            for call in (
                stub.ManyHi(request).receive(),
                stub.HiToMany([request]),
                stub.Chat([request]).receive(),
                stub.Count(greeters.Empty()),
            ):
                error = await error_of(call)
                assert error.code() is grpc.StatusCode.UNIMPLEMENTED
                assert error.details() == "Method not implemented!"

    run(main())


def test_one_object_serves_two_services_with_equal_names(greeters: Any) -> None:
    module = importlib.import_module("greeter_uvgrpc")

    async def main() -> None:
        greeter = greeters.Yielding()
        server = uvgrpc.server()
        server.add_servicer(greeter)
        server.add_servicer(greeter, module.OldGreeterServicer)
        port = server.add_insecure_port("127.0.0.1:0")
        async with server, uvgrpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            for stub in (module.GreeterStub(channel), module.OldGreeterStub(channel)):
                assert (await stub.Hi(greeters.HelloRequest(name="a"))).message == "hi a"

    run(main())


def test_grpcios_own_generated_code_with_uvgrpc(greeters: Any) -> None:
    stock = importlib.import_module("greeter_pb2_grpc")

    class Greeter(stock.GreeterServicer):  # type: ignore[name-defined, misc]
        Hi = greeters.Yielding.Hi
        ManyHi = greeters.Yielding.ManyHi
        HiToMany = greeters.Yielding.HiToMany
        Chat = greeters.Yielding.Chat
        Count = greeters.Yielding.Count
        Shout = greeters.Yielding.Shout

    async def main() -> None:
        server = uvgrpc.server()
        stock.add_GreeterServicer_to_server(Greeter(), server)
        port = server.add_insecure_port("127.0.0.1:0")
        async with server, uvgrpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            assert await greeters.converse(channel) == greeters.EXPECTED
            stub = stock.GreeterStub(channel)
            assert (await stub.Hi(greeters.HelloRequest(name="a"))).message == "hi a"
            replies = stub.ManyHi(greeters.HelloRequest(name="a", times=2))
            assert [reply.message async for reply in replies] == ["hi a", "hi a"]

    run(main())


def test_methods_named_as_python_forbids() -> None:
    module = importlib.import_module("keywords_uvgrpc")
    messages = importlib.import_module("keywords_pb2")

    class Servicer(module.classServicer):  # type: ignore[name-defined, misc]
        async def class__(self, request: Any, context: Any) -> Any:
            return messages.Call()

        async def import_(self, context: Any) -> None:
            await context.send(messages.Call())

        async def _mangled(self, request: Any, context: Any) -> Any:
            return messages.Call()

    async def main() -> None:
        async with serving(Servicer()) as target, uvgrpc.insecure_channel(target) as channel:
            stub = module.classStub(channel)
            for name in ("class__", "class", "_mangled", "__mangled"):
                assert await getattr(stub, name)(messages.Stub()) == messages.Call()
            for name in ("import_", "import"):
                assert await getattr(stub, name)().receive() == messages.Call()
            error = await error_of(stub.class_(messages.Stub()))
            assert error.code() is grpc.StatusCode.UNIMPLEMENTED
            assert "__init__" not in stub.__uvgrpc_service__.methods
            assert "__mangled" in stub.__uvgrpc_service__.methods

    run(main())


def test_messages_of_other_files_and_awkward_names() -> None:
    module = importlib.import_module("dashed_name.v1_uvgrpc")
    assert '"""Things""" \\ that' in module.ThingsStub.__doc__
    things = importlib.import_module("nested.deep.types_pb2")
    awaited = importlib.import_module("import.async_pb2")
    hidden = getattr(things, "__Mangled")

    class Servicer(module.ThingsServicer):  # type: ignore[name-defined, misc]
        async def Hidden(self, request: Any, context: Any) -> AsyncIterator[Any]:
            yield hidden()

        async def Await(self, request: Any, context: Any) -> Any:
            return request

        async def Deep(self, requests: Any, context: Any) -> Any:
            assert [one async for one in requests]
            return things.Thing()

    async def main() -> None:
        async with serving(Servicer()) as target, uvgrpc.insecure_channel(target) as channel:
            stub = module.ThingsStub(channel)
            assert await stub.Hidden(things._Private()).receive() == hidden()
            assert await stub.Await(awaited.Await()) == awaited.Await()
            assert await stub.Deep([getattr(things.Thing.Part, "__Mangled")()]) == things.Thing()

    run(main())


def test_editions_and_optional_fields(greeters: Any) -> None:
    module = importlib.import_module("editions_uvgrpc")
    messages = importlib.import_module("editions_pb2")

    class Servicer(module.EditionsServicer):  # type: ignore[name-defined, misc]
        async def Next(self, request: Any, context: Any) -> AsyncIterator[Any]:
            yield messages.Edition(number=request.number + 1)

    async def main() -> None:
        async with serving(Servicer()) as target, uvgrpc.insecure_channel(target) as channel:
            stub = module.EditionsStub(channel)
            assert (await stub.Next(messages.Edition(number=1)).receive()).number == 2

    run(main())
    assert not greeters.HelloRequest().HasField("times")


def test_comments_are_docstrings() -> None:
    module = importlib.import_module("greeter_uvgrpc")
    doc = inspect.getdoc(module.GreeterServicer)
    assert doc is not None
    assert doc.startswith("Serves uvgrpc.test.Greeter.\n\nGreets people.\n\n")
    assert 'Says "hello", or C:\\temp\\new.' in doc
    assert inspect.getdoc(module.GreeterServicer.Hi) == "One greeting for one name."
    assert inspect.getdoc(module.GreeterStub.OldHi) == "Use Hi.\n\nDeprecated."
    source = inspect.getsource(module.GreeterStub)
    assert '"""As many greetings as wanted:\n\n        one, two, three\n\n    and no more.\n    """' in source
    assert '''""" "Together" """''' in source
    assert '"""Greets\n    one by one.\n    """' in source
    assert (inspect.getdoc(module.OldGreeterStub) or "").endswith("Deprecated.")


def test_types_can_be_looked_up_at_run_time() -> None:
    from typing import get_type_hints

    module = importlib.import_module("greeter_uvgrpc")
    messages = importlib.import_module("greeter_pb2")
    hints = get_type_hints(module.GreeterServicer.Hi)
    assert hints["return"] is messages.HelloReply
    assert "Chat" in get_type_hints(module.GreeterServicer)
    assert "Chat" in get_type_hints(module.GreeterStub)
