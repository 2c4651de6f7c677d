# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""grpcio-reflection: services and descriptors, asked for over a bidirectional stream."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc
from library import SERVICE, Library, calling, library_pb2
from support import Outcome, run

import uvgrpc

Request = reflection_pb2.ServerReflectionRequest


def _reflects(server: Any) -> None:
    reflection.enable_server_reflection((SERVICE, reflection.SERVICE_NAME), server)


async def _ask(channel: Any, requests: Iterable[Any]) -> list[Any]:
    """The answers to `requests`, sent and read in turns on one call."""
    call = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo()
    answers = []
    for request in requests:
        await call.write(request)
        answers.append(await call.read())
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK
    return answers


def test_the_services_are_listed() -> None:
    async def main() -> None:
        async with calling(_reflects) as channel:
            (answer,) = await _ask(channel, [Request(list_services="")])
            names = [service.name for service in answer.list_services_response.service]
            assert names == sorted([SERVICE, reflection.SERVICE_NAME])

    run(main())


def test_a_file_is_found_by_its_name_and_by_a_symbol() -> None:
    async def main() -> None:
        async with calling(_reflects) as channel:
            answers = await _ask(
                channel,
                [
                    Request(file_by_filename="library.proto"),
                    Request(file_containing_symbol=SERVICE),
                    Request(file_containing_symbol="uvgrpc.siblings.Book"),
                ],
            )
        for answer in answers:
            (serialized,) = answer.file_descriptor_response.file_descriptor_proto
            file = descriptor_pb2.FileDescriptorProto.FromString(serialized)
            assert file.SerializeToString() == library_pb2.DESCRIPTOR.serialized_pb
            (service,) = file.service
            assert [method.name for method in service.method] == ["Find", "List", "Store", "Revise"]

    run(main())


def test_what_is_not_there_is_answered_with_an_error() -> None:
    async def main() -> None:
        async with calling(_reflects) as channel:
            unknown, listed = await _ask(
                channel, [Request(file_containing_symbol="no.such.Thing"), Request(list_services="")]
            )
            assert unknown.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]
            assert len(listed.list_services_response.service) == 2

    run(main())


_WITHOUT_STUBS = """
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha import reflection
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

def look_up(target):
    # The database calls the server synchronously: on a thread of its own.
    with grpc.insecure_channel(target) as channel:
        pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
        return pool.FindServiceByName(SERVICE).FindMethodByName("Find")

async def main():
    install()
    enable = lambda server: reflection.enable_server_reflection((SERVICE,), server)
    async with serving(enable, grace=10) as target, grpc.aio.insecure_channel(target) as channel:
        method = await asyncio.to_thread(look_up, target)
        Request, Reply = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
        call = channel.unary_unary(
            f"/{SERVICE}/{method.name}",
            request_serializer=Request.SerializeToString,
            response_deserializer=Reply.FromString,
        )
        reply = await call(Request(title="Persuasion"))
        print(json.dumps([reply.title, reply.pages]))

uvloop.run(main())
"""


def test_a_client_without_stubs_calls_what_it_found(program: Callable[[str], Outcome]) -> None:
    assert program(_WITHOUT_STUBS).result == ["Persuasion", 10]


@pytest.mark.uvgrpc_only
def test_reflect_makes_calls_without_a_proto() -> None:
    async def main() -> None:
        async with calling(_reflects) as channel:
            protos = await uvgrpc.reflect(channel)
            assert SERVICE in protos
            book = await protos.Find(channel, {"title": "a title"})
            assert (book.title, book.pages) == ("a title", 7)
            # Of a class of its own; the generated one passes as a request.
            assert not isinstance(book, library_pb2.Book)
            request = library_pb2.FindRequest(title="another")
            assert (await protos.Library.Find(channel, request)).pages == 7
            assert [each.pages async for each in protos.List(channel, {"count": 3})] == [0, 1, 2]

    run(main())


@pytest.mark.uvgrpc_only
def test_reflect_on_a_server_of_uvgrpcs_own_api() -> None:
    async def main() -> None:
        server = uvgrpc.server()
        server.add_servicer(Library())
        _reflects(server)
        port = server.add_insecure_port("127.0.0.1:0")
        async with server, uvgrpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            protos = await uvgrpc.reflect(channel)
            call = await protos.Revise(channel)
            await call.send({"title": "a", "pages": 1})
            assert (await call.receive()).pages == 2
            await call.done_sending()
            with pytest.raises(uvgrpc.EOF):
                await call.receive()

    run(main())
