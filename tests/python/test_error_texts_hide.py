# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What clients are told of errors names no file, address of memory or variable of the environment."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from peers import frames
from support import aio, error_of, run, serving
from test_hostile_messages import CASES, _wire

pytestmark = [pytest.mark.uvgrpc_only, pytest.mark.writes_stderr]

# A file, as in "/usr/lib/x" or "x.cc:12", and an address.
_FILE = re.compile(r"(?<![\w.])/(?:usr|home|root|tmp|opt|var|etc|proc|lib)/|\w\.(?:py|pyx|pxi|cc|h|so)\b")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{5,}")


def tells_nothing(text: str) -> None:
    """Checks a text that a client is given."""
    assert not _FILE.search(text), text
    assert not _ADDRESS.search(text), text
    for name, value in os.environ.items():
        assert len(value) < 8 or value not in text, (name, text)


class _Secret:
    """Its repr is an address."""


async def _returns_an_object(request: bytes, context: Any) -> Any:
    return _Secret()


async def _returns_nothing(request: bytes, context: Any) -> Any:
    return None


async def _yields_an_object(request: bytes, context: Any) -> AsyncIterator[Any]:
    yield _Secret()


async def _generates(request: bytes, context: Any) -> AsyncIterator[bytes]:
    yield b""


async def _bad_metadata(request: bytes, context: Any) -> bytes:
    await context.send_initial_metadata(((_Secret(), "x"),))
    return b""


async def _bad_trailer(request: bytes, context: Any) -> bytes:
    context.set_trailing_metadata((("x", _Secret()),))
    return b""


async def _bad_code(request: bytes, context: Any) -> bytes:
    context.set_code(_Secret())
    return b""


async def _bad_abort(request: bytes, context: Any) -> bytes:
    await context.abort(_Secret(), "text")
    return b""


async def _cancels_itself(request: bytes, context: Any) -> bytes:
    raise asyncio.CancelledError


async def _writes(request: bytes, context: Any) -> bytes:
    await context.write(b"")
    return b""


async def _fails(request: bytes, context: Any) -> bytes:
    raise OSError(2, "No such file", "/etc/secret.py")


UNARY = {
    handler.__name__: handler
    for handler in (
        _returns_an_object,
        _returns_nothing,
        _bad_metadata,
        _bad_trailer,
        _bad_code,
        _bad_abort,
        _cancels_itself,
        _writes,
        _generates,
    )
}


@pytest.mark.parametrize("name", CASES)
def test_of_requests_that_are_not_as_they_should_be(name: str) -> None:
    block, data, _ = CASES[name]

    async def main() -> None:
        async with _wire() as wire:
            wire.request(block, data)
            _, details = await wire.status()
            tells_nothing(details)

    run(main())


@pytest.mark.parametrize("name", [*UNARY, "unknown method"])
def test_of_a_handlers_mistakes(name: str) -> None:
    async def main() -> None:
        handlers = {key: grpc.unary_unary_rpc_method_handler(value) for key, value in UNARY.items()}
        generic = grpc.method_handlers_generic_handler("t", handlers)
        async with serving(generic) as running, aio.insecure_channel(running.target) as channel:
            error = await error_of(channel.unary_unary(f"/t/{name}")(b"x", timeout=20))
            tells_nothing(error.details() or "")

    run(main())


@pytest.mark.parametrize("arity", ["unary", "stream"])
def test_of_exceptions_that_are_hidden(arity: str) -> None:
    """Without the option a client is told of an exception what grpc.aio tells: type and text."""

    async def main() -> None:
        handler = (
            grpc.unary_unary_rpc_method_handler(_fails)
            if arity == "unary"
            else grpc.unary_stream_rpc_method_handler(_yields_an_object)
        )
        generic = grpc.method_handlers_generic_handler("t", {"M": handler})
        options = [("uvgrpc.hide_exceptions", True)]
        async with (
            serving(generic, options=options) as running,
            aio.insecure_channel(running.target) as channel,
        ):
            if arity == "unary":
                error = await error_of(channel.unary_unary("/t/M")(b"x"))
            else:
                error = await error_of(channel.unary_stream("/t/M")(b"x").read())
            tells_nothing(error.details() or "")
            assert error.details() == "Unexpected error in the handler."

    run(main())


def test_of_a_connection_that_is_ended() -> None:
    """The text of a GOAWAY goes to a peer as well."""

    told: list[str] = []

    async def main() -> None:
        async with _wire() as wire:
            for wrong in (
                frames.frame(frames.PING, 0, 0, bytes(8)) * 100,
                frames.frame(frames.DATA, 0, 0, b"x"),
                frames.frame(frames.WINDOW_UPDATE, 0, 0, bytes(4)),
                frames.frame(frames.PING, 0, 0, b"short"),
                frames.frame(frames.SETTINGS, 0, 0, b"odd"),
            ):
                connection = await frames.Connection.open(wire.writer.get_extra_info("peername")[1])
                connection.writer.write(wrong)
                # Core lets some of it pass.
                with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, TimeoutError):
                    async with asyncio.timeout(1):
                        while True:
                            kind, _, _, payload = await connection.next()
                            if kind == frames.GOAWAY:
                                told.append(payload[8:].decode("latin-1"))
                                tells_nothing(told[-1])
                connection.close()
            assert told

    run(main())
