# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""uvgrpc's own API: statuses that carry messages (gRFC L44)."""

from __future__ import annotations

import asyncio
import logging
import pickle
from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2, duration_pb2, wrappers_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status
from own_api import Echo, own_serving
from support import aio, run, service, serving

import uvgrpc

pytestmark = pytest.mark.uvgrpc_only

_INFO = error_details_pb2.ErrorInfo(reason="STOCK_OUT", domain="shop.example", metadata={"item": "tea"})
_RETRY = error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=3))


class _Refusing(Echo):
    def __init__(self, **error: Any) -> None:
        self.error = error

    async def UnaryUnary(self, request: bytes, context: Any) -> bytes:
        raise uvgrpc.RpcError(**self.error)

    async def StreamStream(self, context: Any) -> None:
        await context.send(b"one")
        raise uvgrpc.RpcError(**self.error)


async def _error(awaitable: Any) -> uvgrpc.RpcError:
    with pytest.raises(uvgrpc.RpcError) as caught:
        await awaitable
    return caught.value


def test_messages_go_with_a_status(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        refusing = _Refusing(
            code=grpc.StatusCode.FAILED_PRECONDITION,
            message="no täa",
            details=[_INFO, _RETRY],
            trailing_metadata=[("who", "me")],
        )
        async with own_serving(refusing) as stub:
            call = stub.StreamStream([])
            assert await call.receive() == b"one"
            for awaitable in (stub.UnaryUnary(b""), call.receive()):
                error = await _error(awaitable)
                assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
                assert error.message == error.details() == "no täa"
                assert error.details == (_INFO, _RETRY)
                assert error.trailing_metadata()["who"] == "me"

    with caplog.at_level(logging.ERROR):
        run(main())
    assert not caplog.records


def test_grpcio_status_reads_and_writes_the_same() -> None:
    class Writing(Echo):
        async def UnaryUnary(self, request: bytes, context: Any) -> bytes:
            status = status_pb2.Status(code=code_pb2.NOT_FOUND, message="gone")
            status.details.add().Pack(_INFO)
            await context.abort_with_status(rpc_status.to_status(status))
            return request

    async def main() -> None:
        async with own_serving(_Refusing(code=grpc.StatusCode.ABORTED, message="a", details=[_INFO])) as stub:
            error = await _error(stub.UnaryUnary(b""))
            packed = dict(error.trailing_metadata())["grpc-status-details-bin"]
            status = status_pb2.Status.FromString(packed)
            assert status.code == grpc.StatusCode.ABORTED.value[0]
            assert status.message == "a"
            assert status.details[0].Is(error_details_pb2.ErrorInfo.DESCRIPTOR)
        async with own_serving(Writing()) as stub:
            error = await _error(stub.UnaryUnary(b""))
            assert error.code() is grpc.StatusCode.NOT_FOUND
            assert error.details == (_INFO,)

    run(main())


def test_what_cannot_be_decoded_is_left_alone() -> None:
    unknown = any_pb2.Any(type_url="type.googleapis.com/nobody.knows.This", value=b"\x08\x01")
    broken = any_pb2.Any(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=b"\xff\xff")
    rubbish = ("grpc-status-details-bin", b"\xff\x00rubbish")

    class Servicer(Echo):
        async def UnaryUnary(self, request: bytes, context: Any) -> bytes:
            raise uvgrpc.RpcError(grpc.StatusCode.ABORTED, "x", trailing_metadata=[rubbish])

    async def main() -> None:
        async with own_serving(
            _Refusing(code=grpc.StatusCode.ABORTED, details=[unknown, broken, _INFO])
        ) as stub:
            assert (await _error(stub.UnaryUnary(b""))).details == (unknown, broken, _INFO)
        async with own_serving(Servicer()) as stub:
            error = await _error(stub.UnaryUnary(b""))
            assert error.code() is grpc.StatusCode.ABORTED
            assert error.details == ()
            assert error.details() == "x"

    run(main())


def test_mistakes_are_told_where_they_are_made() -> None:
    with pytest.raises(ValueError, match="to end with OK, return"):
        uvgrpc.RpcError(grpc.StatusCode.OK)
    with pytest.raises(TypeError, match=r"must be a grpc\.StatusCode, got 5"):
        uvgrpc.RpcError(5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="must be protobuf messages, got 'text'"):
        uvgrpc.RpcError(grpc.StatusCode.ABORTED, details=["text"])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="Bad Key"):
        uvgrpc.RpcError(grpc.StatusCode.ABORTED, trailing_metadata=[("Bad Key", "v")])


def test_errors_of_calls_are_not_passed_on_by_themselves() -> None:
    class Forwarding(Echo):
        inner: Any = None

        async def UnaryUnary(self, request: bytes, context: Any) -> bytes:
            if request == b"as it is":
                return await self.inner.UnaryUnary(b"")
            try:
                return await self.inner.UnaryUnary(b"")
            except uvgrpc.RpcError as error:
                raise uvgrpc.RpcError(error.code(), error.message, details=error.details) from error

    async def main() -> None:
        refusing = _Refusing(code=grpc.StatusCode.NOT_FOUND, message="inner", details=[_INFO])
        async with own_serving(refusing) as inner, own_serving(Forwarding()) as outer:
            Forwarding.inner = inner
            error = await _error(outer.UnaryUnary(b"as it is"))
            assert error.code() is grpc.StatusCode.UNKNOWN
            assert error.details == ()
            error = await _error(outer.UnaryUnary(b"made anew"))
            assert error.code() is grpc.StatusCode.NOT_FOUND
            assert error.details == (_INFO,)

    run(main())


def test_an_error_of_a_thread_is_sent() -> None:
    class Servicer(Echo):
        def UnaryUnary(self, request: bytes, context: Any) -> bytes:  # type: ignore[override]
            raise uvgrpc.RpcError(grpc.StatusCode.NOT_FOUND, "on a thread", details=[_INFO])

    async def main() -> None:
        async with own_serving(Servicer()) as stub:
            error = await _error(stub.UnaryUnary(b""))
            assert error.code() is grpc.StatusCode.NOT_FOUND
            assert error.details == (_INFO,)

    run(main())


def test_handlers_of_grpc_aio_may_raise_it_too() -> None:
    async def refuse(request: bytes, context: Any) -> bytes:
        context.set_trailing_metadata((("mine", "too"),))
        raise uvgrpc.RpcError(grpc.StatusCode.NOT_FOUND, "no", details=[_INFO])

    async def main() -> None:
        async with (
            serving(service(Method=refuse)) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await channel.unary_unary("/test.Service/Method")(b"")
            assert caught.value.code() is grpc.StatusCode.NOT_FOUND
            assert caught.value.details() == "no"
            assert caught.value.trailing_metadata()["mine"] == "too"
            packed = status_pb2.Status.FromString(caught.value.trailing_metadata()["grpc-status-details-bin"])
            assert len(packed.details) == 1

    run(main())


def test_a_cancelled_call_is_no_rpc_error() -> None:
    async def main() -> None:
        async with own_serving(Echo()) as stub:
            call = stub.StreamUnary()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call

    run(main())


def test_errors_survive_pickling() -> None:
    error = uvgrpc.RpcError(grpc.StatusCode.ABORTED, "x", details=[wrappers_pb2.StringValue(value="v")])
    error.__notes__ = []
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is uvgrpc.RpcError
    assert (copy.code(), copy.message, copy.details) == (error.code(), error.message, error.details)
    assert copy.trailing_metadata() == error.trailing_metadata()
    assert "ABORTED" in repr(copy)
