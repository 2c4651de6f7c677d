# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Channel options: which values are integers, and what happens to the others."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import grpc
import pytest
from rig import echo_of, failure_of, looped, result_of, wired
from support import aio

LIMIT = "grpc.max_send_message_length"


class Index:
    def __repr__(self) -> str:
        return "Index"

    def __index__(self) -> int:
        return 4


class Pointer:
    def __int__(self) -> int:
        return 0


@pytest.fixture(params=["channel", "server"])
def make(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Makes a channel or a server with options, and gives what ends it."""
    if request.param == "channel":
        yield lambda options: aio.insecure_channel("127.0.0.1:1", options=options).close
    else:
        yield lambda options: lambda: aio.server(options=options).stop(None)


# grpc.aio takes what is no int for a pointer: it is accepted there, and forgotten.
@pytest.mark.uvgrpc_only
@pytest.mark.parametrize("value", [4, 4.0, 4.9, Decimal("4"), Fraction(9, 2), Index()], ids=repr)
@looped
async def test_any_number_is_an_integer(value: Any) -> None:
    async with wired(echo_of("unary_unary"), options=((LIMIT, value),)) as wire:
        assert await result_of(wire(b"1234")) == b"1234"
        error = await failure_of(wire(b"12345"))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "(5 vs. 4)" in error.details()


@pytest.mark.parametrize("value", [1e4, True, False, 10_000, -(2**31), 2**31 - 1, "text", b"bytes"], ids=repr)
@pytest.mark.parametrize("name", ["grpc.test.option", b"grpc.test.option"])
@looped
async def test_numbers_and_texts_are_taken(make: Any, name: Any, value: Any) -> None:
    await make(((name, value),))()


@pytest.mark.uvgrpc_only
@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, 1e12, Decimal(10) ** 20, float("inf")], ids=repr)
@looped
async def test_what_does_not_fit_in_32_bits_is_named(make: Any, value: Any) -> None:
    with pytest.raises(OverflowError, match=r"grpc\.test\.option"):
        await make((("grpc.test.option", value),))()


@pytest.mark.uvgrpc_only
@looped
async def test_what_is_not_a_number_is_named(make: Any) -> None:
    with pytest.raises(ValueError, match=r"grpc\.test\.option"):
        await make((("grpc.test.option", float("nan")),))()


@pytest.mark.parametrize(
    "value", [None, [], object(), 1j, bytearray(b"x")], ids=lambda value: type(value).__name__
)
@looped
async def test_what_no_option_can_be_is_a_type_error(make: Any, value: Any) -> None:
    with pytest.raises(TypeError):
        await make((("grpc.test.option", value),))()


@pytest.mark.uvgrpc_only
@looped
async def test_a_pointer_is_left_out_with_one_warning(make: Any) -> None:
    """It would point into grpcio's own core."""
    options = ((LIMIT, 4), ("grpc.test.pointer", Pointer()), ("grpc.test.option", 1))
    with pytest.warns(RuntimeWarning) as caught:
        await make(options)()
    (one,) = caught
    assert "'grpc.test.pointer'" in str(one.message)
    assert "test_channel_options.Pointer" in str(one.message)
    assert one.filename == __file__


@pytest.mark.uvgrpc_only
@looped
async def test_what_stands_beside_a_pointer_is_in_force() -> None:
    options = (("grpc.test.pointer", Pointer()), (LIMIT, 4))
    with pytest.warns(RuntimeWarning, match="is left out"):
        async with wired(echo_of("unary_unary"), options=options) as wire:
            error = await failure_of(wire(b"12345"))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@looped
async def test_a_name_is_text(make: Any) -> None:
    with pytest.raises(TypeError):
        await make(((1, 2),))()
