# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""python -m peers.stock_client aio|sync TARGET BATTERY: calls on grpcio as it is.

Calls peer.Service and prints what it saw as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio

# method, request, options of the call: what came of it
Caller = Callable[..., dict[str, Any]]


def everything(call: Caller) -> Any:
    """A bit of everything that a unary call can be asked for."""
    status = json.dumps({"code": "NOT_FOUND", "details": "n\u00f6 such thing"}).encode()
    return {
        "echo": call("Echo", b"hello"),
        "empty": call("Echo", b""),
        "metadata": call(
            "Metadata",
            b"",
            metadata=(("x-text", "a"), ("x-text", "b"), ("x-data-bin", b"\x00\xff")),
        ),
        "status": call("Status", status),
        "abort": call("Abort", status),
        "raise": call("Raise", b"the message"),
        "unknown": call("Nothing", b""),
        "deadline": call("Sleep", b"30", timeout=0.1),
        "time_left": call("Deadline", b"", timeout=60),
        "big_request": call("Length", bytes(3_000_000)),
        "big_response": call("Big", b"3000000"),
        "too_big": call("Length", bytes(5_000_000)),
        "gzip": call("Length", b"a" * 100_000, compression=grpc.Compression.Gzip),
        "peer": call("Peer", b""),
    }


def many(call: Caller) -> Any:
    """500 calls, one after the other."""
    return [call("Echo", str(i).encode())["response"] for i in range(500)]


def sync(target: str, battery: str) -> Any:
    with grpc.insecure_channel(target) as channel:

        def call(name: str, request: bytes, **options: Any) -> dict[str, Any]:
            method = channel.unary_unary(f"/peer.Service/{name}")
            started = time.monotonic()
            try:
                response, state = method.with_call(request, **options)
            except grpc.RpcError as error:
                response, state = None, error
            return {
                "response": _text(response),
                "code": state.code().name,
                "details": state.details(),
                "initial": _pairs(state.initial_metadata()),
                "trailing": _pairs(state.trailing_metadata()),
                "seconds": time.monotonic() - started,
            }

        return globals()[battery](call)


def aio(target: str, battery: str) -> Any:
    with asyncio.Runner() as runner:
        channel = None

        async def open_channel() -> Any:
            return grpc.aio.insecure_channel(target)

        async def make(name: str, request: bytes, **options: Any) -> dict[str, Any]:
            started = time.monotonic()
            running = channel.unary_unary(f"/peer.Service/{name}")(request, **options)
            try:
                response = await running
            except grpc.aio.AioRpcError:
                response = None
            return {
                "response": _text(response),
                "code": (await running.code()).name,
                "details": await running.details(),
                "initial": _pairs(await running.initial_metadata()),
                "trailing": _pairs(await running.trailing_metadata()),
                "seconds": time.monotonic() - started,
            }

        channel = runner.run(open_channel())
        try:
            return globals()[battery](lambda *a, **k: runner.run(make(*a, **k)))
        finally:
            runner.run(channel.close())


def _text(response: bytes | None) -> Any:
    if response is None:
        return None
    return response.decode() if len(response) < 1000 else len(response)


def _pairs(metadata: Any) -> list[Any]:
    return [[k, list(v) if isinstance(v, bytes) else v] for k, v in metadata or ()]


if __name__ == "__main__":
    assert "uvgrpc" not in sys.modules
    print(json.dumps({"aio": aio, "sync": sync}[sys.argv[1]](*sys.argv[2:])))
