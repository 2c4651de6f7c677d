# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Errors of handlers, codecs and callers."""

from __future__ import annotations

import asyncio
import pickle
import time
from typing import Any

import grpc
import pytest
from peers.service import Service
from support import aio, calling, echo, error_of, in_time, run, service, serving, unary


class Failing(Exception):
    """Cannot be turned into text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


def error_from(handler: Any) -> Any:
    """The error of a call of `handler`, which must come soon."""

    async def main() -> Any:
        async with calling(handler) as method:
            started = time.monotonic()
            error = await error_of(method(b"request", timeout=30))
            in_time(started, 5)
            return error

    return run(main())


# ---- handlers


def test_the_text_of_a_handlers_exception_reaches_the_client() -> None:
    async def handler(request: bytes, context: Any) -> bytes:
        raise ValueError("the message")

    error = error_from(handler)
    assert error.code() is grpc.StatusCode.UNKNOWN
    assert error.details() == "Unexpected <class 'ValueError'>: the message"


@pytest.mark.uvgrpc_only
def test_an_exception_of_a_stock_server_reads_the_same(stock_port: int) -> None:
    async def main() -> None:
        async with (
            serving(Service().handler()) as running,
            aio.insecure_channel(f"127.0.0.1:{stock_port}") as stock,
            aio.insecure_channel(running.target) as own,
        ):
            errors = [
                await error_of(channel.unary_unary("/peer.Service/Raise")(b"text"))
                for channel in (stock, own)
            ]
            assert errors[0].details() == errors[1].details()
            assert errors[0].code() is errors[1].code()

    run(main())


def test_a_handlers_exception_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(request: bytes, context: Any) -> bytes:
        raise ValueError("the message")

    error_from(handler)
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "ValueError" in record.getMessage()
    assert "/test.Service/Method" in record.getMessage()


def test_a_code_set_before_an_exception_replaces_unknown() -> None:
    async def handler(request: bytes, context: Any) -> bytes:
        context.set_code(grpc.StatusCode.INVALID_ARGUMENT)
        context.set_details("lost")
        context.set_trailing_metadata((("x-key", "value"),))
        raise ValueError("kept")

    error = error_from(handler)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details() == "Unexpected <class 'ValueError'>: kept"
    assert error.trailing_metadata()["x-key"] == "value"


@pytest.mark.stock_defect("the client waits for its deadline (#32199)")
def test_an_exception_without_text_ends_the_call() -> None:
    async def handler(request: bytes, context: Any) -> bytes:
        raise Failing

    error = error_from(handler)
    assert error.code() is grpc.StatusCode.UNKNOWN
    assert "Failing" in error.details()


@pytest.mark.stock_defect("the client waits for its deadline (#29248)")
def test_a_handler_that_raises_cancelled_error_cancels_the_call() -> None:
    async def handler(request: bytes, context: Any) -> bytes:
        raise asyncio.CancelledError

    assert error_from(handler).code() is grpc.StatusCode.CANCELLED


@pytest.mark.stock_defect("the client waits for its deadline (#29248)")
def test_a_handler_that_cancels_its_task_cancels_the_call() -> None:
    async def handler(request: bytes, context: Any) -> bytes:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(30)
        return b""

    assert error_from(handler).code() is grpc.StatusCode.CANCELLED


def test_an_rpc_error_in_a_handler_is_an_exception_like_others() -> None:
    async def main() -> None:
        async def inner(request: bytes, context: Any) -> bytes:
            await context.abort(grpc.StatusCode.NOT_FOUND, "inner")
            return b""

        async with calling(inner) as call_inner:

            async def outer(request: bytes, context: Any) -> bytes:
                return await call_inner(request)

            async with calling(outer) as call_outer:
                error = await error_of(call_outer(b""))
                assert error.code() is grpc.StatusCode.UNKNOWN
                assert "NOT_FOUND" in error.details()

    run(main())


def test_a_server_goes_on_after_errors() -> None:
    async def main() -> None:
        async def handler(request: bytes, context: Any) -> bytes:
            if request == b"bad":
                raise ValueError("bad")
            return request

        async with calling(handler) as method:
            calls = [method(b"bad" if i % 2 else b"good") for i in range(100)]
            codes = [await call.code() for call in calls]
            assert codes == [grpc.StatusCode.OK, grpc.StatusCode.UNKNOWN] * 50

    run(main())


# ---- codecs


def _raise(_value: Any) -> Any:
    raise ValueError("codec")


@pytest.mark.parametrize("side", ["request_deserializer", "response_serializer"])
def test_a_servers_codec_that_fails_ends_the_call(side: str) -> None:
    error = error_from(unary(echo, **{side: _raise}))
    assert error.code() is grpc.StatusCode.UNKNOWN
    assert "ValueError" in error.details()
    assert "codec" in error.details()


@pytest.mark.uvgrpc_only
@pytest.mark.parametrize("response", [None, 5])
def test_a_response_that_is_not_bytes_ends_the_call(response: Any) -> None:
    async def handler(request: bytes, context: Any) -> Any:
        return response

    assert error_from(handler).code() in (grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL)


@pytest.mark.stock_defect("an empty message is sent (#34894)")
def test_a_clients_serializer_that_fails_sends_nothing() -> None:
    async def main() -> None:
        seen: list[bytes] = []

        async def handler(request: bytes, context: Any) -> bytes:
            seen.append(request)
            return request

        async with (
            serving(service(Method=handler)) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            path = "/test.Service/Method"
            started = time.monotonic()
            call = channel.unary_unary(path, request_serializer=_raise)(b"bad")
            error = await error_of(call)
            in_time(started, 5)
            assert error.code() is grpc.StatusCode.INTERNAL
            assert "Exception serializing request!" in error.details()
            assert await call.code() is grpc.StatusCode.INTERNAL
            assert tuple(await call.trailing_metadata()) == ()
            assert call.done()
            assert call.cancel() is False
            assert await channel.unary_unary(path)(b"good") == b"good"
            assert seen == [b"good"]

    run(main())


@pytest.mark.stock_defect("the response is None (#34894)")
def test_a_clients_deserializer_that_fails_ends_the_call() -> None:
    async def main() -> None:
        async with (
            serving(service(Method=echo)) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            method = channel.unary_unary("/test.Service/Method", response_deserializer=_raise)
            call = method(b"x")
            error = await error_of(call)
            assert error.code() is grpc.StatusCode.INTERNAL
            assert error.details() == "Exception deserializing response!"
            assert await call.code() is grpc.StatusCode.INTERNAL

    run(main())


@pytest.mark.uvgrpc_only
@pytest.mark.parametrize("request_", ["text", None, 5, bytearray(b"x")], ids=repr)
def test_a_request_that_is_not_bytes_is_a_type_error(request_: Any) -> None:
    async def main() -> None:
        async with calling(echo) as method:
            with pytest.raises(TypeError, match="must be bytes"):
                method(request_)
            assert await method(b"x") == b"x"

    run(main())


# ---- the error itself


def test_an_rpc_error_can_be_pickled() -> None:
    async def handler(request: bytes, context: Any) -> bytes:
        await context.abort(grpc.StatusCode.NOT_FOUND, "gone", (("x-key", "value"),))
        return b""

    error = error_from(handler)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is grpc.aio.AioRpcError
    assert (copy.code(), copy.details()) == (error.code(), error.details())
    assert copy.trailing_metadata() == error.trailing_metadata()
    assert repr(copy) == repr(error)


@pytest.mark.uvgrpc_only
@pytest.mark.parametrize("hidden", [True, False])
def test_an_exceptions_text_may_be_kept_from_clients(hidden: bool) -> None:
    async def handler(request: bytes, context: Any) -> bytes:
        raise ValueError("the password is 1234")

    async def main() -> None:
        options = (("uvgrpc.hide_exceptions", hidden), ("grpc.so_reuseport", 0))
        async with calling(handler, options=options) as method:
            error = await error_of(method(b""))
            assert error.code() is grpc.StatusCode.UNKNOWN
            expected = "Unexpected <class 'ValueError'>: the password is 1234"
            assert error.details() == ("Unexpected error in the handler." if hidden else expected)

    run(main())
