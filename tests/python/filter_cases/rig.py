# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What the cases share: their list, a service that does as it is told, a call's outcome."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

import grpc
import grpc.aio
from support import aio, service, serving

Case = Callable[[], Awaitable[Any]]

# Of a group's name, which is the module's, by their own names.
CASES: dict[str, dict[str, Case]] = {}

ARITIES = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
CODES = {code.value[0]: code for code in grpc.StatusCode}

# Not told of a call: where it was.
_PLACE = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:|%3A)\d+")


def case(*rows: Any) -> Callable[[Callable[..., Awaitable[Any]]], Callable[..., Awaitable[Any]]]:
    """Adds a case for each row, whose values are the function's arguments."""

    def add(function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        group = CASES.setdefault(function.__module__.rpartition(".")[2], {})
        for row in rows or [()]:
            values = row if isinstance(row, tuple) else (row,)
            name = "-".join([function.__name__, *(str(value) for value in values)])
            assert name not in group, name
            group[name] = functools.partial(function, *values)
        return function

    return add


def each_arity(*rows: Any) -> list[tuple[Any, ...]]:
    """Rows that begin with an arity."""
    tuples = [row if isinstance(row, tuple) else (row,) for row in rows or [()]]
    return [(arity, *row) for arity in ARITIES for row in tuples]


# ---- the service


class Obeying:
    """A service whose methods do what a request's metadata asks for, and note what they met."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.server: Any = None
        self.port = 0

    def handler(self) -> grpc.GenericRpcHandler:
        return service(
            unary_unary=grpc.unary_unary_rpc_method_handler(self._unary),
            unary_stream=grpc.unary_stream_rpc_method_handler(self._stream),
            stream_unary=grpc.stream_unary_rpc_method_handler(self._unary),
            stream_stream=grpc.stream_stream_rpc_method_handler(self._stream),
        )

    async def _unary(self, request: Any, context: Any) -> bytes:
        last = b""
        async for response in self._stream(request, context):
            last = response
        return last

    async def _stream(self, request: Any, context: Any) -> AsyncIterator[bytes]:
        asked = dict(context.invocation_metadata())
        note: list[Any] = []
        self.seen.append(note)
        try:
            if "initial" in asked:
                await context.send_initial_metadata((("x-initial", asked["initial"]),))
            if "trailing" in asked:
                context.set_trailing_metadata((("x-trailing", asked["trailing"]), ("x-bin", b"\0\xff")))
            async for message in _iterated(request):
                note.append(told(message))
                if "deaf" in asked:
                    break
            for size in json.loads(asked.get("sizes", "[]")):
                yield b"r" * size
            if "sleep" in asked:
                await asyncio.sleep(float(asked["sleep"]))
            if "abort" in asked:
                await context.abort(CODES[int(asked["abort"])], asked.get("details", ""))
            note.append("done")
        except grpc.aio.AbortError:
            note.append("aborted")
            raise
        except (GeneratorExit, asyncio.CancelledError):
            # One or the other, by where it was.
            note.append("cancelled")
            raise
        except BaseException as error:
            note.append(type(error).__name__)
            raise


async def _iterated(request: Any) -> AsyncIterator[bytes]:
    if isinstance(request, bytes):
        yield request
    else:
        async for message in request:
            yield message


@contextlib.asynccontextmanager
async def pair(
    client: Iterable[tuple[str, Any]] = (),
    server: Iterable[tuple[str, Any]] = (),
    *,
    compression: Any = None,
    serving_options: dict[str, Any] | None = None,
) -> AsyncIterator[tuple[Any, Obeying]]:
    """A channel to a server of Obeying, with these options."""
    obeying = Obeying()
    async with (
        serving(obeying.handler(), options=tuple(server), **(serving_options or {})) as running,
        aio.insecure_channel(running.target, options=tuple(client), compression=compression) as channel,
    ):
        obeying.server, obeying.port = running.server, running.port
        yield channel, obeying


def config(**method: Any) -> tuple[tuple[str, Any], ...]:
    """The option of a service config for all methods."""
    return (("grpc.service_config", json.dumps({"methodConfig": [{"name": [{}], **method}]})),)


# ---- outcomes


def told(message: Any) -> Any:
    """A message as a few characters."""
    if not isinstance(message, bytes):
        return repr(message)
    return f"{len(message)}:{hashlib.sha1(message).hexdigest()[:8]}"


def without_place(text: str | None) -> str | None:
    return None if text is None else _PLACE.sub("PLACE", text)


def pairs_of(metadata: Any) -> list[str]:
    return sorted(f"{key}={value!r}" for key, value in metadata or ())


async def live(
    channel: Any,
    arity: str,
    requests: list[bytes],
    *,
    path: str | None = None,
    before_end: Callable[[Any], Awaitable[None]] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Makes a call, writes the requests, reads all; gives what a caller can know of it."""
    method = getattr(channel, arity)(path or f"/test.Service/{arity}")
    options.setdefault("timeout", 20)
    if arity.startswith("unary"):
        call = method(requests[0], **options)
    else:
        call = method(_given(requests), **options)
    if before_end is not None:
        await before_end(call)
    return await outcome(call)


async def _given(requests: list[bytes]) -> AsyncIterator[bytes]:
    for request in requests:
        yield request


async def outcome(call: Any) -> dict[str, Any]:
    """What a caller learns of a call."""
    messages: list[Any] = []
    try:
        if hasattr(call, "read"):
            async for message in call:
                messages.append(told(message))
        else:
            messages.append(told(await call))
    except (grpc.aio.AioRpcError, asyncio.CancelledError, grpc.aio.UsageError):
        # Is told below.
        pass
    code = await call.code()
    return {
        "code": code.name,
        "details": without_place(await call.details()),
        "messages": messages,
        "initial": pairs_of(await call.initial_metadata()),
        "trailing": pairs_of(await call.trailing_metadata()),
    }
