# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Calls of methods that proto() gives: by target, by channel, by stub; and servers of its services."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from support import run, run_program

import uvgrpc
import uvgrpc.aio

pytestmark = pytest.mark.uvgrpc_only

CALLS = """
syntax = "proto3";
package calls;
message Point { int32 x = 1; int32 y = 2; }
message Line { Point from = 1; Point to = 2; }
message Text { string text = 1; }
service Geometry {
  rpc Length(Line) returns (Text);
  rpc Points(Line) returns (stream Point);
  rpc Sum(stream Point) returns (Point);
  rpc Echo(stream Point) returns (stream Point);
  rpc Fails(Point) returns (Point);
  rpc Waits(Point) returns (Point);
  rpc Told(Point) returns (Text);
}
service Other { rpc Fails(Point) returns (Point); }
"""


@pytest.fixture(scope="module")
def protos(tmp_path_factory: pytest.TempPathFactory) -> uvgrpc.Protos:
    path = tmp_path_factory.mktemp("protos") / "calls.proto"
    path.write_text(CALLS)
    return uvgrpc.proto(path)


class Geometry:
    def __init__(self, protos: Any) -> None:
        self._protos = protos

    async def Length(self, request: Any, context: Any) -> Any:
        start, end = getattr(request, "from"), request.to
        # A dict of the fields will do.
        return {"text": str(((start.x - end.x) ** 2 + (start.y - end.y) ** 2) ** 0.5)}

    async def Points(self, request: Any, context: Any) -> Any:
        for x in range(getattr(request, "from").x, request.to.x):
            yield self._protos.Point(x=x)

    async def Sum(self, context: Any) -> Any:
        total = self._protos.Point()
        async for point in context:
            total.x += point.x
            total.y += point.y
        return total

    async def Echo(self, context: Any) -> None:
        async for point in context:
            await context.send(point)

    async def Fails(self, request: Any, context: Any) -> Any:
        detail = self._protos.Text(text="a detail")
        raise uvgrpc.RpcError(grpc.StatusCode.OUT_OF_RANGE, "too far", details=[detail])

    async def Waits(self, request: Any, context: Any) -> Any:
        await asyncio.Event().wait()

    async def Told(self, request: Any, context: Any) -> Any:
        metadata = {key: value for key, value in context.invocation_metadata() if key.startswith("x-")}
        return self._protos.Text(text=str(metadata))


@contextlib.asynccontextmanager
async def serving(protos: Any, credentials: Any = None) -> AsyncIterator[str]:
    """A server of Geometry; gives its target. The channels to it are closed at the end."""
    server = uvgrpc.server()
    server.add_servicer(Geometry(protos), protos.Geometry)
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)
        await close_channels()


async def close_channels() -> None:
    from uvgrpc._protos.channels import pool_of_loop

    await pool_of_loop().close()


def test_a_response_is_awaited(protos: Any) -> None:
    async def main() -> None:
        async with serving(protos) as target:
            line = protos.Line(to=protos.Point(x=3, y=4))
            for call in (
                protos.Length(target, line),
                protos.Length(target, {"from": {"x": 3}, "to": {"y": 4}}),
                protos.Geometry.Length(target, line),
                protos.Geometry(target).Length(line),
                protos["calls.Geometry.Length"](target, line),
            ):
                response = await call
                assert isinstance(response, protos.Text)
                assert response.text == "5.0"
                assert await call.code() is grpc.StatusCode.OK

    run(main())


def test_a_stream_of_responses(protos: Any) -> None:
    async def main() -> None:
        async with serving(protos) as target:
            line = {"to": {"x": 3}}
            assert [point.x async for point in protos.Points(target, line)] == [0, 1, 2]
            call = await protos.Points(target, line)
            assert (await call.receive()).x == 0
            assert [point.x async for point in call] == [1, 2]
            with pytest.raises(uvgrpc.EOF):
                await call.receive()
            async with protos.Points(target, line) as call:
                assert (await call.receive()).x == 0
            # Not awaited, it is the call all the same.
            call = protos.Points(target, line)
            assert (await call.receive()).x == 0
            assert await call.initial_metadata() is not None

    run(main())


def test_a_stream_of_requests(protos: Any) -> None:
    async def main() -> None:
        points = [{"x": 1}, protos.Point(x=2, y=3)]

        async def later() -> AsyncIterator[Any]:
            for point in points:
                yield point

        async with serving(protos) as target:
            assert (await protos.Sum(target, points)).x == 3
            assert (await protos.Sum(target, later())).x == 3
            call = protos.Sum(target)
            for point in points:
                await call.send(point)
            await call.done_sending()
            assert (await call).y == 3
            async with protos.Sum(target) as call:
                await call.done_sending()
                assert (await call.receive()).x == 0

    run(main())


def test_streams_both_ways(protos: Any) -> None:
    async def main() -> None:
        async with serving(protos) as target:
            call = await protos.Echo(target)
            for x in (1, 2):
                await call.send(protos.Point(x=x))
                assert (await call.receive()).x == x
            await call.done_sending()
            with pytest.raises(uvgrpc.EOF):
                await call.receive()
            assert [point.x async for point in protos.Echo(target, [{"x": 3}, {"x": 4}])] == [3, 4]
            async with protos.Echo(target) as call:
                await call.send({"x": 5})
                assert (await call.receive()).x == 5
            assert call.cancelled()

    run(main())


def test_a_streaming_call_that_is_dropped_is_cancelled(protos: Any) -> None:
    async def main() -> None:
        async with serving(protos) as target:
            call = await protos.Echo(target)
            await call.send({"x": 1})
            await call.receive()
            del call
            async for _ in protos.Points(target, {"to": {"x": 1_000_000}}):
                break

    # run() checks that no call is left.
    run(main())


def test_on_a_channel(protos: Any) -> None:
    async def main() -> None:
        line = protos.Line(to=protos.Point(x=2))
        async with serving(protos) as target, uvgrpc.insecure_channel(target) as channel:
            for call in (
                protos.Length(channel, line),
                protos.Length(None, line, channel=channel),
                protos.Length(line, channel=channel),
                protos.Length({"to": {"x": 2}}, channel=channel),
                protos.Geometry(channel).Length(line),
            ):
                assert (await call).text == "2.0"
            assert [point.x async for point in protos.Points(line, channel=channel)] == [0, 1]
            assert (await protos.Sum([line.to], channel=channel)).x == 2
            call = await protos.Echo(channel=channel)
            await call.send(line.to)
            assert (await call.receive()).x == 2
            call = protos.Geometry(channel).Echo()
            await call.send(line.to)
            assert (await call.receive()).x == 2
            call.cancel()

    run(main())


def test_on_a_channel_of_grpc_aios_api(protos: Any) -> None:
    async def main() -> None:
        line = protos.Line(to=protos.Point(x=2))
        async with serving(protos) as target, uvgrpc.aio.insecure_channel(target) as channel:
            assert (await protos.Length(channel, line)).text == "2.0"
            call = await protos.Echo(channel)
            await call.write(line.to)
            assert (await call.read()).x == 2
            call.cancel()

    run(main())


def test_on_a_channel_of_stock_grpc_aio(tmp_path: Path) -> None:
    (tmp_path / "calls.proto").write_text(CALLS)
    program = """
protos = uvgrpc.proto(os.environ["PROTO"])
class Geometry:
    async def Length(self, request, context):
        return protos.Text(text="5.0")
    async def Echo(self, requests, context):
        async for point in requests:
            yield point
async def main():
    server = grpc.aio.server()
    handlers = {}
    kinds = {"Length": grpc.unary_unary_rpc_method_handler, "Echo": grpc.stream_stream_rpc_method_handler}
    for name, kind in kinds.items():
        method = protos.Geometry.__uvgrpc_service__.methods[name]
        codecs = method.request_deserializer, method.response_serializer
        handlers[name] = kind(getattr(Geometry(), name), *codecs)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("calls.Geometry", handlers)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        assert not uvgrpc.is_active(channel)
        length = await protos.Length(channel, {"to": {"x": 5}})
        stub = protos.Geometry(channel)
        call = await protos.Echo(channel)
        await call.write(protos.Point(x=1))
        point = await call.read()
        await call.done_writing()
        assert await call.code() is grpc.StatusCode.OK
        echoed = [point.x async for point in protos.Echo(channel, [protos.Point(x=2)])]
        again = await stub.Length({})
    await server.stop(10)
    return [length.text, point.x, echoed, again.text]
print(json.dumps(asyncio.run(main())))
"""
    ran = run_program(program, environ={"PROTO": str(tmp_path / "calls.proto")})
    assert ran.result == ["5.0", 1, [2], "5.0"]


def test_a_stub_for_a_target(protos: Any) -> None:
    async def main() -> None:
        async with serving(protos) as target:
            stub = protos.Geometry(target)
            assert (await stub.Length({"to": {"x": 2}}, timeout=20)).text == "2.0"
            call = stub.Echo(metadata=[("x-a", "b")])
            await call.send({"x": 2})
            assert (await call.receive()).x == 2
            call.cancel()
            # Its channel may be closed between calls: the next one has another.
            await close_channels()
            assert (await stub.Sum([{"x": 2}])).x == 2
            assert dir(stub) == sorted(["Length", "Points", "Sum", "Echo", "Fails", "Waits", "Told"])
            with pytest.raises(
                AttributeError, match=r"calls\.Geometry has no 'Lenght' \(did you mean Length"
            ):
                _ = stub.Lenght

    run(main())


def test_requests_of_generated_classes(protos: Any, tmp_path: Path) -> None:
    """Any class will do whose messages have the name."""
    (tmp_path / "elsewhere.proto").write_text(CALLS)
    other: Any = uvgrpc.proto(tmp_path / "elsewhere.proto")
    assert other.Point is not protos.Point

    async def main() -> None:
        async with serving(protos) as target:
            assert (await protos.Length(target, other.Line(to=other.Point(x=2)))).text == "2.0"
            assert (await protos.Sum(target, [other.Point(x=2), protos.Point(x=3)])).x == 5

    run(main())


def test_a_request_of_another_type(protos: Any) -> None:
    async def main() -> None:
        needs = r"the request of Length must be a calls\.Line, or a dict of its fields, got "
        for target in ("localhost:1", uvgrpc.insecure_channel("localhost:1")):
            with pytest.raises(TypeError, match=needs + r"calls\.Point"):
                protos.Length(target, protos.Point())
            with pytest.raises(TypeError, match=needs + "NoneType"):
                protos.Length(target)
            with pytest.raises(TypeError, match=needs + "str"):
                protos.Length(target, "x")
            with pytest.raises(ValueError, match='no "form" field'):
                protos.Length(target, {"form": {}})
            if not isinstance(target, str):
                await target.close()
        await close_channels()

    run(main())


def test_a_message_of_another_type_in_a_stream(protos: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with serving(protos) as target:
            call = await protos.Echo(target)
            with pytest.raises(uvgrpc.RpcError) as caught:
                await call.send(protos.Line())
            assert caught.value.code() is grpc.StatusCode.INTERNAL
            assert "a request of Echo must be a calls.Point" in caught.value.debug_error_string()

    run(main())
    assert "Exception serializing request!" in caplog.text


def test_arguments_that_do_not_go_together(protos: Any) -> None:
    async def main() -> None:
        channel = uvgrpc.insecure_channel("localhost:1")
        call_credentials = grpc.access_token_call_credentials("x")
        line = protos.Line()
        for arguments, keywords, message in (
            (("localhost:1", line), {"channel": channel}, "not both"),
            (("localhost:1", line), {"credentials": call_credentials}, "composite_channel_credentials"),
            ((None, line), {}, "needs a target"),
            ((line,), {}, "a target is a str or a channel, not Line"),
            ((channel, line), {"options": []}, "was given a channel"),
            ((channel, line), {"credentials": grpc.ssl_channel_credentials()}, "was given a channel"),
        ):
            with pytest.raises(TypeError, match=message):
                protos.Length(*arguments, **keywords)
        with pytest.raises(TypeError, match="given to the calls of a stub"):
            protos.Geometry(channel, credentials=call_credentials)
        await channel.close()

    run(main())


def test_without_a_loop(protos: Any) -> None:
    with pytest.raises(RuntimeError, match=r"a call to a target needs a running event loop"):
        protos.Length("localhost:1", protos.Line())
    stub = protos.Geometry("localhost:1")
    with pytest.raises(RuntimeError, match="needs a running event loop"):
        stub.Length(protos.Line())


def test_a_loop_of_another_kind(protos: Any) -> None:
    async def main() -> None:
        with pytest.raises(uvgrpc.UnsupportedLoopError, match=r"uvloop\.run"):
            protos.Length("localhost:1", protos.Line())

    asyncio.run(main())


def test_what_a_call_is_given(protos: Any) -> None:
    async def main() -> None:
        async with serving(protos) as target:
            point = protos.Point()
            with pytest.raises(uvgrpc.RpcError) as caught:
                await protos.Waits(target, point, timeout=0.05)
            assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            told = await protos.Told(
                target, point, metadata=[("x-a", "b")], compression=grpc.Compression.Gzip, wait_for_ready=True
            )
            assert told.text == "{'x-a': 'b'}"
            with uvgrpc.deadline(0.05), pytest.raises(uvgrpc.RpcError) as caught:
                await protos.Waits(target, point, propagate=False)
            assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            with pytest.raises(TypeError):
                protos.Waits(target, point, propagate=3)

    run(main())


def test_a_status_and_its_details(protos: Any) -> None:
    async def main() -> None:
        async with serving(protos) as target:
            with pytest.raises(uvgrpc.RpcError) as caught:
                await protos.Geometry.Fails(target, {})
            assert (caught.value.code(), caught.value.message) == (grpc.StatusCode.OUT_OF_RANGE, "too far")
            (detail,) = caught.value.details
            assert detail == protos.Text(text="a detail")
            with pytest.raises(uvgrpc.RpcError) as caught:
                await protos.Other.Fails(target, {})
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED

    run(main())


def test_details_of_types_in_a_pool_of_their_own(protos: Any, tmp_path: Path) -> None:
    """What the default pool does not have is decoded as long as the protos are there."""
    (tmp_path / "calls.proto").write_text(CALLS.replace("message Text", "message More {} message Text"))
    own: Any = uvgrpc.proto("calls.proto", include=tmp_path)
    assert own.Text is not protos.Text

    class Failing:
        async def Fails(self, request: Any, context: Any) -> Any:
            raise uvgrpc.RpcError(grpc.StatusCode.ABORTED, details=[own.More(), own.Text(text="x")])

    async def main() -> None:
        server = uvgrpc.server()
        server.add_servicer(Failing(), own.Other)
        port = server.add_insecure_port("127.0.0.1:0")
        async with server:
            with pytest.raises(uvgrpc.RpcError) as caught:
                await own.Other.Fails(f"127.0.0.1:{port}", {})
        assert caught.value.details == (own.More(), protos.Text(text="x"))
        await close_channels()

    run(main())


def test_a_service_is_served_by_a_class_that_has_some_of_its_methods(protos: Any) -> None:
    class Some:
        async def Length(self, request: Any, context: Any) -> Any:
            return protos.Text(text="some")

    async def main() -> None:
        server = uvgrpc.server()
        server.add_servicer(Some(), protos.Geometry)
        port = server.add_insecure_port("127.0.0.1:0")
        async with server:
            target = f"127.0.0.1:{port}"
            assert (await protos.Length(target, {})).text == "some"
            with pytest.raises(uvgrpc.RpcError) as caught:
                await protos.Sum(target, [])
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        await close_channels()

    run(main())
