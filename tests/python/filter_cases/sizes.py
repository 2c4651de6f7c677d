# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Messages that are too large, by the limits of channels, servers and service configs."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import grpc

from filter_cases.rig import case, config, each_arity, live, pair

SEND, RECEIVE = "grpc.max_send_message_length", "grpc.max_receive_message_length"
GZIP, DEFLATE = grpc.Compression.Gzip, grpc.Compression.Deflate
COMPRESSIONS = {"plain": None, "gzip": GZIP, "deflate": DEFLATE}

# A client's and a server's options, by what is limited.
LIMITS: dict[str, tuple[Any, Any]] = {
    "client sends": (((SEND, 1000),), ()),
    "client receives": (((RECEIVE, 1000),), ()),
    "server sends": ((), ((SEND, 1000),)),
    "server receives": ((), ((RECEIVE, 1000),)),
    "requests": (config(maxRequestMessageBytes=1000), ()),
    "responses": (config(maxResponseMessageBytes=1000), ()),
    "config over channel": (
        (*config(maxRequestMessageBytes=5000, maxResponseMessageBytes=5000), (SEND, 1000), (RECEIVE, 1000)),
        (),
    ),
    "config under channel": (
        (*config(maxRequestMessageBytes=1000, maxResponseMessageBytes=1000), (SEND, 5000), (RECEIVE, 5000)),
        (),
    ),
    "config and no limit": (
        (*config(maxRequestMessageBytes=1000, maxResponseMessageBytes=1000), (SEND, -1), (RECEIVE, -1)),
        (),
    ),
    "nothing": (((SEND, -1), (RECEIVE, -1)), ((SEND, -1), (RECEIVE, -1))),
    "zero": (((SEND, 0), (RECEIVE, 0)), ()),
    "server zero": ((), ((SEND, 0), (RECEIVE, 0))),
}


@case(*each_arity(*((limit, how) for limit in LIMITS for how in ("plain", "gzip"))))
async def around_a_limit(arity: str, limit: str, how: str) -> Any:
    client, server = LIMITS[limit]
    results = []
    compressed = {"compression": COMPRESSIONS[how]}
    async with pair(client, server, compression=COMPRESSIONS[how], serving_options=compressed) as (
        channel,
        obeying,
    ):
        for asked, given in ((10, 10), (1000, 10), (1001, 10), (10, 1000), (10, 1001), (0, 0), (6000, 6000)):
            results.append(await live(channel, arity, [b"q" * asked], metadata=(("sizes", f"[{given}]"),)))
        return results, obeying.seen


@case(*each_arity("client receives", "server receives"))
async def the_default_limit(arity: str, side: str) -> Any:
    async with pair() as (channel, obeying):
        results = []
        for more in (0, 1):
            size = (4 << 20) + more
            asked, given = (10, size) if side.startswith("client") else (size, 10)
            results.append(await live(channel, arity, [bytes(asked)], metadata=(("sizes", f"[{given}]"),)))
        assert [result["code"] for result in results] == ["OK", "RESOURCE_EXHAUSTED"]
        return results, obeying.seen


@case("unary_stream", "stream_stream")
async def one_too_large_in_a_stream_of_responses(arity: str) -> Any:
    async with pair(((RECEIVE, 1000),)) as (channel, _):
        metadata = (("sizes", "[1, 2, 1000, 1001, 3]"), ("trailing", "t"), ("initial", "i"))
        result = await live(channel, arity, [b""], metadata=metadata)
        assert result["code"] == "RESOURCE_EXHAUSTED"
        assert len(result["messages"]) == 3
        return result


@case("unary_stream", "stream_stream")
async def a_server_sends_one_too_large_in_a_stream(arity: str) -> Any:
    async with pair((), ((SEND, 1000),)) as (channel, obeying):
        metadata = (("sizes", "[1, 2, 1000, 1001, 3]"), ("trailing", "t"), ("initial", "i"))
        result = await live(channel, arity, [b""], metadata=metadata)
        return result, obeying.seen


@case(
    *(("stream_unary", side) for side in ("client", "server")),
    ("stream_stream", "client"),
    ("stream_stream", "server"),
)
async def one_too_large_in_a_stream_of_requests(arity: str, side: str) -> Any:
    client, server = (((SEND, 1000),), ()) if side == "client" else ((), ((RECEIVE, 1000),))
    async with pair(client, server) as (channel, obeying):
        result = await live(channel, arity, [b"1", b"22", bytes(1000), bytes(1001), b"333"])
        assert result["code"] == "RESOURCE_EXHAUSTED"
        # How many the handler saw before is a matter of timing.
        return result, [note[:0] for note in obeying.seen]


@case("stream_unary", "stream_stream")
async def a_write_that_is_too_large_fails(arity: str) -> Any:
    async with pair(((SEND, 1000),)) as (channel, _):
        call = getattr(channel, arity)(f"/test.Service/{arity}")()
        await call.write(bytes(10))
        for size in (1001, 10):
            # Which of the two learns of it is a matter of timing: a writer runs ahead.
            with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
                await call.write(bytes(size))
        await call.done_writing()
        return (await call.code()).name, await call.details()


@case(("client", "gzip"), ("client", "deflate"), ("server", "gzip"), ("server", "deflate"))
async def a_bomb(side: str, how: str) -> Any:
    """Small on the wire, larger than the limit when decompressed."""
    client, server = (((RECEIVE, 100_000),), ()) if side == "client" else ((), ((RECEIVE, 100_000),))
    results = []
    options = {"compression": COMPRESSIONS[how]}
    async with pair(client, server, compression=COMPRESSIONS[how], serving_options=options) as (
        channel,
        obeying,
    ):
        for arity in ("unary_unary", "stream_stream"):
            for size in (100_000, 100_001, 3_000_000):
                asked, given = (10, size) if side == "client" else (size, 10)
                results.append(
                    await live(channel, arity, [b"q" * asked], metadata=(("sizes", f"[{given}]"),))
                )
        codes = [result["code"] for result in results]
        assert codes == ["OK", "RESOURCE_EXHAUSTED", "RESOURCE_EXHAUSTED"] * 2
        return results, [[note[0]] if note else note for note in obeying.seen]


@case(*each_arity())
async def retries_of_messages_that_are_too_large(arity: str) -> Any:
    policy = {
        "maxAttempts": 3,
        "initialBackoff": "0.001s",
        "maxBackoff": "0.001s",
        "backoffMultiplier": 1,
        "retryableStatusCodes": ["RESOURCE_EXHAUSTED"],
    }
    results = []
    for options in (((SEND, 1000),), ((RECEIVE, 1000),)):
        async with pair((*config(retryPolicy=policy), *options)) as (channel, obeying):
            metadata = (("sizes", "[2000]"),)
            results.append(await live(channel, arity, [bytes(2000)], metadata=metadata))
            await asyncio.sleep(0.02)
            results.append({"attempts": [note[:1] for note in obeying.seen]})
    return results


@case("unary_unary", "stream_unary")
async def a_response_too_large_while_the_server_fails(arity: str) -> Any:
    """The status of the server, if it comes in the same packet, does not hide the size."""
    async with pair(((RECEIVE, 1000),)) as (channel, _):
        return await asyncio.gather(
            *(
                live(channel, arity, [b""], metadata=(("sizes", f"[{size}]"), ("trailing", "t")))
                for size in (1001, 100, 50_000)
            )
        )
