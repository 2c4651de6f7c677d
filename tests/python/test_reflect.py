# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""reflect(): against servers that tell of themselves as one should, and against those that do not.

tests/siblings has grpcio-reflection's server, tests/interop grpc-go's.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message import DecodeError
from support import in_time, run, until

import uvgrpc
import uvgrpc.aio
from uvgrpc._protos import reflection
from uvgrpc._protos.channels import pool_of_loop
from uvgrpc._protos.reflection_messages import Request, Response

pytestmark = pytest.mark.uvgrpc_only

V1 = "grpc.reflection.v1.ServerReflection"
ALPHA = "grpc.reflection.v1alpha.ServerReflection"


def file(
    name: str,
    package: str = "told",
    *,
    imports: Iterable[str] = (),
    messages: Iterable[str] = (),
    services: Mapping[str, tuple[str, str]] | None = None,
) -> FileDescriptorProto:
    """A file; services have one method, Call, from one message to another."""
    made = FileDescriptorProto(name=name, package=package, syntax="proto3", dependency=imports)
    for message in messages:
        made.message_type.add(name=message).field.add(name="text", number=1, label=1, type=9)
    for service, (request, response) in (services or {}).items():
        method = made.service.add(name=service).method.add(name="Call")
        method.input_type, method.output_type = f".{request}", f".{response}"
    return made


class Reflection:
    """A server's answers, from its files.

    Args:
      files: what there is, by the names that they are asked for.
      services: what is listed; those of the files by default.
      complete: send with a file all that it imports.
    """

    def __init__(
        self,
        files: Iterable[FileDescriptorProto] = (),
        services: Iterable[str] | None = None,
        *,
        complete: bool = False,
    ) -> None:
        self.files = {each.name: each for each in files}
        self._symbols = {
            f"{each.package}.{s.name}": each for each in self.files.values() for s in each.service
        }
        self._services = [*self._symbols] if services is None else list(services)
        self._complete = complete
        self.asked: list[str] = []

    def answer(self, request: Any) -> Any:
        """The answer to one request."""
        kind, value = request.ListFields()[0]
        self.asked.append(value)
        if kind.name == "list_services":
            return Response(list_services_response={"service": [{"name": name} for name in self._services]})
        found = (self.files if kind.name == "file_by_filename" else self._symbols).get(value)
        if found is None:
            return Response(error_response={"error_code": 5, "error_message": f"{value} not found"})
        return self.sent([found])

    def sent(self, files: list[FileDescriptorProto]) -> Any:
        """The answer that has these files."""
        if self._complete:
            for each in files:
                files += [self.files[name] for name in each.dependency if self.files[name] not in files]
        serialized = [each.SerializeToString() for each in files]
        return Response(file_descriptor_response={"file_descriptor_proto": serialized})


@contextlib.asynccontextmanager
async def reflecting(answer: Callable[[Any], Any], *services: str) -> AsyncIterator[str]:
    """A server with reflection, of v1 by default; gives its target."""

    async def info(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        async for request in requests:
            yield answer(request)

    async with serving(info, *services) as target:
        yield target


@contextlib.asynccontextmanager
async def serving(info: Any, *services: str) -> AsyncIterator[str]:
    server = uvgrpc.aio.server()
    handler = grpc.stream_stream_rpc_method_handler(info, Request.FromString, Response.SerializeToString)
    handlers = {"ServerReflectionInfo": handler}
    for service in services or (V1,):
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, handlers)])

    async def call(request: bytes, context: Any) -> bytes:
        return request

    server.add_generic_rpc_handlers(
        [
            grpc.method_handlers_generic_handler(
                "told.Greeter", {"Call": grpc.unary_unary_rpc_method_handler(call)}
            )
        ]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)
        await pool_of_loop().close()


MESSAGES = file("messages.proto", messages=["Asks", "Says"])
GREETER = file(
    "greeter.proto",
    imports=["messages.proto"],
    services={"Greeter": ("told.Asks", "told.Asks")},
)


def reflected(answer: Callable[[Any], Any], *services: str, **arguments: Any) -> Any:
    """What reflect() gives for a server of these answers."""

    async def main() -> Any:
        async with reflecting(answer, *services) as target:
            return await uvgrpc.reflect(target, **arguments)

    return run(main())


@pytest.mark.parametrize("complete", [False, True])
@pytest.mark.parametrize("service", [V1, ALPHA])
def test_calls_without_a_proto(complete: bool, service: str) -> None:
    answers = Reflection([GREETER, MESSAGES], complete=complete)

    async def main() -> None:
        async with reflecting(answers.answer, service) as target:
            protos = await uvgrpc.reflect(target)
            assert repr(protos) == f"<protos of {target}: services told.Greeter>"
            response = await protos.Call(target, protos.Asks(text="hello"))
            assert response == protos.Asks(text="hello")
            assert (await protos.Greeter(target).Call({"text": "x"})).text == "x"
            # A channel will do, of grpc.aio's API as well.
            for made in (uvgrpc.insecure_channel, uvgrpc.aio.insecure_channel):
                async with made(target) as channel:
                    assert (await uvgrpc.reflect(channel)).Asks is protos.Asks
                    assert (await uvgrpc.reflect(channel=channel)).Says is protos.Says

    run(main())
    # What came by itself is not asked for.
    assert ("messages.proto" in answers.asked) is not complete


def test_both_versions() -> None:
    services = ["told.Greeter", V1, ALPHA]
    own = [
        file(
            f"{version}.proto",
            f"grpc.reflection.{version}",
            messages=["M"],
            services={"ServerReflection": (m, m)},
        )
        for version in ("v1", "v1alpha")
        for m in [f"grpc.reflection.{version}.M"]
    ]
    protos = reflected(Reflection([GREETER, MESSAGES, *own], services).answer, V1, ALPHA)
    assert protos.Call
    assert protos[V1] is not protos[ALPHA]
    with pytest.raises(AttributeError, match=r'may be \["grpc\.reflection\.v1'):
        _ = protos.ServerReflection


def test_nothing_is_shared_with_the_default_pool() -> None:
    protos = reflected(Reflection([GREETER, MESSAGES]).answer)
    assert protos.Asks is not None
    for find in ("FindFileByName", "FindFileContainingSymbol"):
        with pytest.raises(KeyError):
            getattr(descriptor_pool.Default(), find)(
                "messages.proto" if find.endswith("Name") else "told.Asks"
            )


def test_two_servers_that_differ() -> None:
    one = reflected(Reflection([GREETER, MESSAGES]).answer)
    changed = file("messages.proto", messages=["Asks", "Says", "More"])
    two = reflected(Reflection([GREETER, changed]).answer)
    assert two.More is not None
    assert one.Asks is not two.Asks
    assert reflected(Reflection([GREETER, MESSAGES]).answer).Asks is one.Asks


def test_protobufs_own_files_need_not_be_sent() -> None:
    greeter = file(
        "empty.proto",
        imports=["google/protobuf/empty.proto"],
        services={"Greeter": ("google.protobuf.Empty", "google.protobuf.Empty")},
    )
    assert reflected(Reflection([greeter]).answer).Empty().SerializeToString() == b""


def test_a_server_without_services() -> None:
    protos = reflected(Reflection().answer)
    assert dir(protos) == list(protos) == []
    with pytest.raises(AttributeError, match="it is empty"):
        _ = protos.Greeter


def test_a_server_without_reflection() -> None:
    with pytest.raises(uvgrpc.RpcError) as caught:
        reflected(Reflection().answer, "some.other.Service")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_server_that_is_not_there() -> None:
    async def main() -> None:
        with pytest.raises(uvgrpc.RpcError) as caught:
            await uvgrpc.reflect("127.0.0.1:1")
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        await pool_of_loop().close()
        with pytest.raises(TypeError, match="needs a target"):
            await uvgrpc.reflect()

    run(main())


def test_a_refusal() -> None:
    for code, expected in ((7, grpc.StatusCode.PERMISSION_DENIED), (0, grpc.StatusCode.UNKNOWN)):
        answer = Response(error_response={"error_code": code, "error_message": "not for you"})
        with pytest.raises(uvgrpc.RpcError) as caught:
            reflected(lambda _, answer=answer: answer)
        assert (caught.value.code(), caught.value.message) == (expected, "not for you")


def test_metadata_and_time() -> None:
    async def main() -> None:
        seen = []

        async def info(requests: Any, context: Any) -> AsyncIterator[Any]:
            seen.append(dict(context.invocation_metadata()).get("x-key"))
            await asyncio.Event().wait()
            yield

        async with serving(info) as target:
            with pytest.raises(uvgrpc.RpcError) as caught:
                await uvgrpc.reflect(target, timeout=0.1, metadata=[("x-key", "value")], wait_for_ready=True)
            assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            assert seen == ["value"]
            # Cancelling the task cancels the call.
            task = asyncio.ensure_future(uvgrpc.reflect(target, timeout=None))
            await until(lambda: len(seen) == 2)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    run(main())


# ---- servers that do not tell the truth


def test_one_service_that_cannot_be_used_does_not_hide_the_others() -> None:
    files = [
        GREETER,
        MESSAGES,
        file("incomplete.proto", imports=["nowhere.proto"], services={"Incomplete": ("told.X", "told.X")}),
        file(
            "above.proto",
            imports=["incomplete.proto"],
            messages=["A"],
            services={"Above": ("told.A", "told.A")},
        ),
        file("a.proto", imports=["b.proto"], services={"Circle": ("told.Asks", "told.Asks")}),
        file("b.proto", imports=["c.proto"]),
        file("c.proto", imports=["b.proto"]),
        file("self.proto", imports=["self.proto"], services={"Self": ("told.Asks", "told.Asks")}),
        file("untyped.proto", services={"Untyped": ("told.Nix", "told.Nix")}),
        file("again.proto", messages=["Asks"], services={"Again": ("told.Asks", "told.Asks")}),
    ]
    services = ["Greeter", "Incomplete", "Above", "Circle", "Self", "Untyped", "Again", "Unknown"]
    protos = reflected(Reflection(files, [f"told.{name}" for name in services]).answer)
    assert protos.Greeter.Call is protos.Call
    for name, problem in {
        "Incomplete": r"incomplete\.proto imports nowhere\.proto, which is not there",
        "Above": r"incomplete\.proto imports nowhere\.proto, which is not there",
        "Circle": r"a\.proto imports itself, by way of other files, or imports one that does",
        "Self": r"self\.proto imports itself",
        "Untyped": r"untyped\.proto: .*Nix",
        "Unknown": r"the server has no told\.Unknown: told\.Unknown not found",
    }.items():
        with pytest.raises(AttributeError, match=rf"has no told\.{name}: {problem}"):
            getattr(protos, name)
        with pytest.raises(KeyError, match=problem):
            protos[f"told.{name}"]
    # Two files that define the same: the first one wins, whichever that is.
    assert ("told.Again" in protos) + ("told.Greeter" in protos) >= 1


def test_nothing_that_can_be_used() -> None:
    alone = file("alone.proto", imports=["nowhere.proto"], services={"Alone": ("told.X", "told.X")})
    with pytest.raises(
        uvgrpc.ProtoError, match=r"nothing of what .* tells can be used:\nalone\.proto imports"
    ):
        reflected(Reflection([alone]).answer)


def test_files_that_are_noise() -> None:
    noise = Response(file_descriptor_response={"file_descriptor_proto": [b"\xff\xff\xff"]})
    answers = Reflection([GREETER])

    def answer(request: Any) -> Any:
        return answers.answer(request) if request.HasField("list_services") else noise

    with pytest.raises(uvgrpc.ProtoError, match=r"what the server sends for told\.Greeter is no descriptor"):
        reflected(answer)


def test_files_of_other_names_than_asked_for() -> None:
    answers = Reflection([GREETER])
    numbers = itertools.count()

    def answer(request: Any) -> Any:
        if request.HasField("file_by_filename"):
            return answers.sent([file(f"other{next(numbers)}.proto")])
        return answers.answer(request)

    with pytest.raises(
        uvgrpc.ProtoError, match=r"greeter\.proto imports messages\.proto, which is not there"
    ):
        reflected(answer)
    assert next(numbers) == 1


def test_answers_of_another_kind() -> None:
    with pytest.raises(uvgrpc.ProtoError, match=r"no file that the server sends has a service told\.Greeter"):
        reflected(lambda request: Response(list_services_response={"service": [{"name": "told.Greeter"}]}))
    assert list(reflected(lambda request: Response())) == []


def test_a_server_that_ends_the_call() -> None:
    async def main() -> None:
        async def info(requests: Any, context: Any) -> AsyncIterator[Any]:
            return
            yield

        async with serving(info) as target:
            with pytest.raises(uvgrpc.ProtoError, match="ended the call in place of an answer"):
                await uvgrpc.reflect(target)

    run(main())


def test_a_server_that_does_not_stop_sending() -> None:
    async def main() -> None:
        async def info(requests: Any, context: Any) -> AsyncIterator[Any]:
            answers = Reflection([GREETER, MESSAGES])
            async for request in requests:
                yield answers.answer(request)
                if request.file_by_filename:
                    break
            while True:
                yield Response()

        async with serving(info) as target:
            assert (await uvgrpc.reflect(target)).Greeter.Call

    run(main())


def test_files_that_import_ever_more_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reflection, "MAX_FILES", 300)
    numbers = itertools.count()
    first = file("first.proto", imports=["next"], services={"Endless": ("told.X", "told.X")})
    answers = Reflection([first])

    def answer(request: Any) -> Any:
        if request.HasField("file_by_filename"):
            return answers.sent([file(request.file_by_filename, imports=[f"next{next(numbers)}"])])
        return answers.answer(request)

    with pytest.raises(uvgrpc.ProtoError, match="are more than 300"):
        reflected(answer)
    assert next(numbers) <= 300


def test_more_than_a_server_may_send(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Reflection([GREETER])
    big = file("big.proto", messages=["M" * 1_000_000])

    def big_files(request: Any) -> Any:
        if request.HasField("list_services"):
            return Response(list_services_response={"service": [{"name": f"s{n}"} for n in range(100)]})
        return answers.sent([big])

    monkeypatch.setattr(reflection, "MAX_BYTES", 5 << 20)
    with pytest.raises(uvgrpc.ProtoError, match="more than 5 MiB"):
        reflected(big_files)
    monkeypatch.setattr(reflection, "MAX_SERVICES", 99)
    with pytest.raises(uvgrpc.ProtoError, match="lists 100 services, more than 99"):
        reflected(big_files)
    # One answer is bounded by the channel.
    with pytest.raises(uvgrpc.RpcError) as caught:
        reflected(lambda request: answers.sent([file("big.proto", messages=["M" * 5_000_000])]))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_long_chains_and_wide_circles_take_no_time() -> None:
    count = 3000
    files = [
        file(f"{n}.proto", f"p{n}", imports=[f"{(n + 1) % count}.proto"], messages=["M"])
        for n in range(count)
    ]
    files[0].service.add(name="S").method.add(name="Call", input_type=".p0.M", output_type=".p0.M")
    started = time.monotonic()
    with pytest.raises(uvgrpc.ProtoError, match="imports itself"):
        reflected(Reflection(files, complete=True, services=["p0.S"]).answer, timeout=None)
    files[-1].ClearField("dependency")
    assert reflected(Reflection(files, ["p0.S"]).answer, timeout=None).S.Call
    in_time(started, 25)


def test_messages_that_are_nested_without_end() -> None:
    deep = file("deep.proto", services={"Deep": ("told.M", "told.M")})
    message = deep.message_type.add(name="M")
    for _ in range(40):
        message = message.nested_type.add(name="M")
    serialized = deep.SerializeToString()
    # What protobuf itself would not write: a thousand levels.
    level = b"\x0a\x01M"
    for _ in range(1000):
        level = b"\x0a\x01M\x1a" + _varint(len(level)) + level
    endless = b"\x0a\x0aendless.pb\x22" + _varint(len(level)) + level
    answers = Reflection([deep])

    def answer(request: Any) -> Any:
        if request.HasField("list_services"):
            return Response(
                list_services_response={"service": [{"name": "told.Deep"}, {"name": "told.Endless"}]}
            )
        sent = endless if "Endless" in request.file_containing_symbol else serialized
        return Response(file_descriptor_response={"file_descriptor_proto": [sent]})

    protos = reflected(answer)
    assert protos.Deep.Call
    with pytest.raises(AttributeError, match=r"has no told\.Endless: "):
        _ = protos.Endless
    assert answers.asked == []


def test_answers_with_noise_in_them() -> None:
    """Whatever a server says, it is used, or it is told why not."""
    seed = random.randrange(1 << 32)
    noise = random.Random(seed)
    files = [GREETER, MESSAGES, descriptor_pb2.DESCRIPTOR]
    whole = [each.serialized_pb if each is files[2] else each.SerializeToString() for each in files]

    def changed(data: bytes) -> bytes:
        changed = bytearray(data)
        for _ in range(noise.choice([0, 1, 2, 10])):
            place = noise.randrange(len(changed) + 1)
            if noise.random() < 0.6:
                changed[place : place + 1] = noise.randbytes(1)
            elif noise.random() < 0.5:
                del changed[place : place + noise.randrange(5)]
            else:
                changed[place:place] = noise.randbytes(noise.randrange(5))
        return bytes(changed)

    class Call:
        async def write(self, request: Any) -> None:
            self._request = request

        async def read(self) -> Any:
            if self._request.HasField("list_services"):
                answer = Response(list_services_response={"service": [{"name": "told.Greeter"}]})
            else:
                sent = [changed(each) for each in whole if noise.random() < 0.8]
                answer = Response(file_descriptor_response={"file_descriptor_proto": sent})
            try:
                return Response.FromString(changed(answer.SerializeToString()))
            except DecodeError:
                return answer

    async def main() -> None:
        for _ in range(500):
            asking = reflection._Asking(Call())
            try:
                await asking.ask_for_everything()
                protos = reflection._protos("noise", asking)
            except (uvgrpc.ProtoError, uvgrpc.RpcError):
                continue
            for name in protos:
                assert protos[name] is not None
            for name in dir(protos):
                # Not all that is there by chance has one meaning.
                with contextlib.suppress(AttributeError):
                    getattr(protos, name)

    try:
        run(main())
    except BaseException as error:
        error.add_note(f"seed {seed}")
        raise


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])
