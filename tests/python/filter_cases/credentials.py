# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Call credentials that come at once, late, wrong or never, and calls that do not wait for them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import tls
from support import aio, until

from filter_cases.rig import ARITIES, Obeying, case, config, live, outcome, without_place

TCP = grpc.LocalConnectionType.LOCAL_TCP
Callback = Callable[[Any, Any], None]


class Plugin(grpc.AuthMetadataPlugin):
    """Answers as one of WAYS says; counts how often it was asked, keeps the callbacks."""

    def __init__(self, way: str) -> None:
        self.way = WAYS[way]
        self.callbacks: list[Callback] = []

    def asked_more_than(self, times: int) -> bool:
        return len(self.callbacks) > times

    def __call__(self, context: Any, callback: Callback) -> None:
        self.callbacks.append(callback)
        self.way(callback)


def _later(callback: Callback) -> None:
    threading.Timer(0.02, callback, ((("x-token", "late"),), None)).start()


def _raise(_callback: Callback) -> None:
    raise ValueError("what the plugin raised")


WAYS: dict[str, Callable[[Callback], Any]] = {
    "now": lambda callback: callback((("x-token", "now"),), None),
    "later": _later,
    "nothing": lambda callback: callback((), None),
    "many": lambda callback: callback(tuple((f"x-t{n}", "v" * 100) for n in range(20)), None),
    "binary": lambda callback: callback((("x-t-bin", b"\0\xff"),), None),
    "fails": lambda callback: callback((), ValueError("no token")),
    "raises": _raise,
    "upper": lambda callback: callback((("X-Token", "v"),), None),
    "illegal": lambda callback: callback((("x-t", "a\nb"),), None),
    "empty key": lambda callback: callback((("", "b"),), None),
    "reserved": lambda callback: callback(((":path", "/test.Service/none"),), None),
    "never": lambda callback: None,
}
# TLS takes its time: for one arity.
KINDS = [*((arity, "local") for arity in ARITIES), ("unary_unary", "tls")]
ANSWERED = [way for way in WAYS if way != "never"]


async def _show(_request: bytes, context: Any) -> bytes:
    metadata = [(k, v) for k, v in context.invocation_metadata() if k.startswith(("x-", "auth"))]
    return repr(sorted(metadata)).encode()


@contextlib.asynccontextmanager
async def secured(
    kind: str, *calls: grpc.CallCredentials, **options: Any
) -> AsyncIterator[tuple[Any, Obeying]]:
    """A channel to a server of Obeying with call credentials, by TLS or local credentials."""
    if kind == "tls":
        credentials, servers = tls.channel_tls(), tls.server_tls()
    else:
        credentials, servers = grpc.local_channel_credentials(TCP), grpc.local_server_credentials(TCP)
    if calls:
        credentials = grpc.composite_channel_credentials(credentials, *calls)
    obeying = Obeying()
    shown = grpc.method_handlers_generic_handler(
        "test.Shown", {"Show": grpc.unary_unary_rpc_method_handler(_show)}
    )
    async with (
        tls.serving_tls(servers, obeying.handler(), shown) as running,
        aio.secure_channel(running.target, credentials, **options) as channel,
    ):
        yield channel, obeying


def credentials_of(plugin: Plugin) -> grpc.CallCredentials:
    return grpc.metadata_call_credentials(plugin)


async def shown(channel: Any, **options: Any) -> Any:
    try:
        return (await channel.unary_unary("/test.Shown/Show")(b"", timeout=20, **options)).decode()
    except grpc.aio.AioRpcError as error:
        return error.code().name, without_place(error.details())


@case(*((arity, kind, way) for arity, kind in KINDS for way in ANSWERED))
async def of_the_channel(arity: str, kind: str, way: str) -> Any:
    async with secured(kind, credentials_of(Plugin(way))) as (channel, obeying):
        result = await live(channel, arity, [b"request"], metadata=(("sizes", "[3]"), ("trailing", "t")))
        return result, obeying.seen, await shown(channel)


@case(*((kind, way) for kind in ("local", "tls") for way in ANSWERED))
async def of_the_call(kind: str, way: str) -> Any:
    async with secured(kind) as (channel, _):
        return await shown(channel, credentials=credentials_of(Plugin(way)))


@case(
    *((first, second) for first in ("now", "later", "fails") for second in ("now", "later", "fails", "upper"))
)
async def of_both(first: str, second: str) -> Any:
    async with secured("local", credentials_of(Plugin(first))) as (channel, _):
        return await shown(channel, credentials=credentials_of(Plugin(second)))


@case("now", "later", "fails")
async def composed(way: str) -> Any:
    calls = (
        credentials_of(Plugin("later")),
        credentials_of(Plugin(way)),
        grpc.access_token_call_credentials("t"),
    )
    async with secured("tls", *calls) as (channel, _):
        return await shown(channel), await shown(channel, wait_for_ready=True)


@case(
    *(
        (arity, kind, end)
        for arity, kind in KINDS
        for end in ("cancel", "deadline", "close", "close with grace", "drop", "task")
    )
)
async def ended_while_waiting(arity: str, kind: str, end: str) -> Any:
    """The plugin never answers, or only after the call has ended."""
    plugin = Plugin("never")
    async with secured(kind, credentials_of(plugin)) as (channel, obeying):
        method = getattr(channel, arity)(f"/test.Service/{arity}")
        timeout = {"timeout": 0.15} if end == "deadline" else {}
        call = method(b"1", **timeout) if arity.startswith("unary") else method(**timeout)
        writes = []
        if arity.startswith("stream"):
            writes = [asyncio.ensure_future(call.write(bytes(100)))]
        await until(lambda: plugin.callbacks)
        result: Any = None
        if end == "cancel":
            assert call.cancel()
        elif end == "close":
            await channel.close()
        elif end == "close with grace":
            await channel.close(0.05)
        if end == "drop":
            for write in writes:
                write.cancel()
            if writes:
                # They hold the call.
                await asyncio.wait(writes)
            del call, writes
            gc.collect()
        elif end == "task":
            task = asyncio.ensure_future(outcome(call))
            await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.wait([task])
            call.cancel()
            result = (await call.code()).name
        else:
            result = await outcome(call)
        if end != "drop":
            result = [
                result,
                [type(e).__name__ for e in await asyncio.gather(*writes, return_exceptions=True)],
            ]
        # Too late, but not wrong.
        for callback in plugin.callbacks:
            callback((("x-token", "v"),), None)
        await asyncio.sleep(0.01)
        return result, obeying.seen


@case("stream_unary", "stream_stream")
async def writes_wait(arity: str) -> Any:
    plugin = Plugin("never")
    async with secured("local", credentials_of(plugin)) as (channel, obeying):
        call = getattr(channel, arity)(f"/test.Service/{arity}")(metadata=(("sizes", "[5, 6]"),), timeout=20)

        async def write() -> None:
            for size in range(30):
                await call.write(bytes(size))
            await call.done_writing()

        writing = asyncio.ensure_future(write())
        await until(lambda: plugin.callbacks)
        await asyncio.sleep(0.02)
        assert not obeying.seen
        plugin.callbacks[0]((("x-token", "v"),), None)
        await writing
        result = await outcome(call)
        assert result["code"] == "OK"
        assert len(obeying.seen[0]) == 31
        return result, obeying.seen


@case(*ARITIES)
async def failed_after_writes(arity: str) -> Any:
    plugin = Plugin("never")
    async with secured("local", credentials_of(plugin)) as (channel, obeying):
        method = getattr(channel, arity)(f"/test.Service/{arity}")
        call = method(b"1", timeout=20) if arity.startswith("unary") else method(timeout=20)
        writes = [asyncio.ensure_future(call.write(b"x"))] if arity.startswith("stream") else []
        await until(lambda: plugin.callbacks)
        await asyncio.sleep(0.02)
        plugin.callbacks[0]((), ValueError("no token"))
        result = await outcome(call)
        failures = [type(e).__name__ for e in await asyncio.gather(*writes, return_exceptions=True)]
        return result, failures, obeying.seen


@case("fails", "raises", "later")
async def retried(way: str) -> Any:
    policy = {
        "maxAttempts": 3,
        "initialBackoff": "0.001s",
        "maxBackoff": "0.001s",
        "backoffMultiplier": 1,
        "retryableStatusCodes": ["UNAVAILABLE", "UNAUTHENTICATED", "ABORTED"],
    }
    plugin = Plugin(way)
    async with secured("local", credentials_of(plugin), options=config(retryPolicy=policy)) as (
        channel,
        obeying,
    ):
        result = await live(channel, "unary_unary", [b"1"], metadata=(("abort", "10"),))
        return result, len(plugin.callbacks), obeying.seen


@case("ssl_target_name_override", "wrong override", "default_authority")
async def names(how: str) -> Any:
    options = {
        "ssl_target_name_override": (("grpc.ssl_target_name_override", "localhost"),),
        "wrong override": (("grpc.ssl_target_name_override", "other.test"),),
        "default_authority": (("grpc.default_authority", "localhost"),),
    }[how]

    async def authority(_request: bytes, context: Any) -> bytes:
        return json.dumps(sorted(k for k, _ in context.invocation_metadata())).encode()

    generic = grpc.method_handlers_generic_handler(
        "test.Shown", {"Show": grpc.unary_unary_rpc_method_handler(authority)}
    )
    async with (
        tls.serving_tls(tls.server_tls(), generic) as running,
        aio.secure_channel(running.target, tls.channel_tls(), options=options) as channel,
    ):
        try:
            return (await channel.unary_unary("/test.Shown/Show")(b"", timeout=10)).decode()
        except grpc.aio.AioRpcError as error:
            return error.code().name
