# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Calls that a cancel, a deadline, a stop or a lost connection ends, at every phase."""

from __future__ import annotations

import asyncio
from typing import Any

from support import aio, until

from filter_cases.rig import ARITIES, case, config, each_arity, live, outcome, pair


@case(*each_arity("before", "at the server", "after a message"))
async def cancelled(arity: str, phase: str) -> Any:
    async with pair() as (channel, obeying):
        metadata = (("sizes", "[1]"), ("sleep", "60"), ("deaf", "1"), ("initial", "i"))
        method = getattr(channel, arity)(f"/test.Service/{arity}")
        call = method(b"1", metadata=metadata) if arity.startswith("unary") else method(metadata=metadata)
        if phase != "before":
            if arity.startswith("stream"):
                await call.write(b"1")
            await until(lambda: obeying.seen and obeying.seen[0])
        if phase == "after a message" and arity.endswith("stream"):
            await call.read()
        assert call.cancel()
        result = await outcome(call)
        if phase != "before":
            await until(lambda: "cancelled" in obeying.seen[0] or "done" in obeying.seen[0], 10)
            return result, obeying.seen
        return result


@case(*each_arity())
async def past_its_deadline(arity: str) -> Any:
    async with pair() as (channel, obeying):
        metadata = (("sizes", "[1]"), ("sleep", "60"))
        result = await live(channel, arity, [b"1"], metadata=metadata, timeout=0.5)
        await until(lambda: "cancelled" in obeying.seen[0], 10)
        return result, obeying.seen


@case(*each_arity("now", "grace", "closed"))
async def stopped(arity: str, how: str) -> Any:
    async with pair() as (channel, obeying):
        metadata = (("sizes", "[1]"), ("sleep", "60"), ("initial", "i"))
        ending = asyncio.ensure_future(live(channel, arity, [b"1"], metadata=metadata))
        await until(lambda: obeying.seen and obeying.seen[0])
        await asyncio.sleep(0.05)
        if how == "closed":
            await channel.close()
        else:
            await obeying.server.stop(0.1 if how == "grace" else None)
        result = await ending
        result["details"] = (result["details"] or "")[:12]
        return result


@case(*each_arity(*(str(code) for code in range(1, 17))))
async def aborted(arity: str, code: str) -> Any:
    async with pair() as (channel, obeying):
        metadata = (
            ("abort", code),
            ("details", f"d%20 {code}"),
            ("trailing", "t"),
            ("sizes", "[3, 4]"),
            ("initial", "i"),
        )
        result = await live(channel, arity, [b"1"], metadata=metadata)
        assert result["code"] != "OK"
        return result, obeying.seen


@case(*each_arity())
async def aborted_while_the_client_writes(arity: str) -> Any:
    async with pair() as (channel, _):
        metadata = (("abort", "9"), ("details", "enough"), ("deaf", "1"), ("trailing", "t"))
        result = await live(channel, arity, [bytes(50_000)] * 20, metadata=metadata)
        assert result["code"] == "FAILED_PRECONDITION"
        return result


@case(*each_arity("2", "5"))
async def retried(arity: str, attempts: str) -> Any:
    policy = {
        "maxAttempts": int(attempts),
        "initialBackoff": "0.001s",
        "maxBackoff": "0.001s",
        "backoffMultiplier": 1,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    results = []
    for sizes in ("[]", "[1]"):
        async with pair(config(retryPolicy=policy)) as (channel, obeying):
            metadata = (("abort", "14"), ("details", "again"), ("sizes", sizes), ("trailing", "t"))
            result = await live(channel, arity, [b"1", b"2"], metadata=metadata)
            results.append((result, len(obeying.seen)))
    return results


@case(*each_arity(1, 100, 2_000, 6_000, 8_000))
async def with_much_metadata(arity: str, size: int) -> Any:
    options = (("grpc.max_metadata_size", 32_000), ("grpc.absolute_max_metadata_size", 64_000))
    async with pair(options, options) as (channel, _):
        metadata = (("initial", "i" * size), ("trailing", "t" * size), ("x-bin", bytes(size)))
        result = await live(channel, arity, [b"1"], metadata=metadata)
        assert result["code"] == "OK"
        return result


@case(*ARITIES)
async def with_a_wrong_method(arity: str) -> Any:
    async with pair() as (channel, _):
        return await live(channel, arity, [b"1"], path="/test.Service/none")


@case(*ARITIES)
async def without_a_server(arity: str) -> Any:
    async with aio.insecure_channel("127.0.0.1:1") as channel:
        result = await live(channel, arity, [b"1"])
        assert result["code"] == "UNAVAILABLE"
        return result["code"]
