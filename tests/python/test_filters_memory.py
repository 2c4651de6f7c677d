# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What calls that fail in a channel's filters leave behind, and how much a bomb may take."""

from __future__ import annotations

import asyncio
import functools
import gzip

import grpc
import pytest
import tls
from filter_cases import answers, credentials
from filter_cases.requests import GOOD, exchanged
from filter_cases.rig import live, pair
from peers import frames
from peers.answers import answering, headers, message
from support import aio, echo, error_of, open_files, resident_bytes, run, run_program, service, until

pytestmark = pytest.mark.uvgrpc_only

MANY = 150
BOMB = gzip.compress(bytes(200_000_000), 1)


@pytest.mark.pool_threads
def test_a_bomb_in_a_response_takes_no_more_than_the_limit() -> None:
    async def main() -> int:
        answer = answers.parts(answers.GZIPPED, answers.says(BOMB, 1), answers.BYE)
        async with answering(answer) as target, aio.insecure_channel(target) as channel:
            await channel.channel_ready()
            before = resident_bytes()
            result = await live(channel, "unary_unary", [b""])
            assert result["code"] == "RESOURCE_EXHAUSTED"
            return resident_bytes() - before

    assert run(main()) < 60_000_000


def test_a_bomb_in_a_request_takes_no_more_than_the_limit() -> None:
    async def main() -> int:
        async with pair() as (_, obeying):
            sent = headers(1, *GOOD.items(), ("grpc-encoding", "gzip")) + message(
                1, BOMB, compressed=1, end=True
            )
            before = resident_bytes()
            answer = await exchanged(
                obeying.port, frames.frame(frames.WINDOW_UPDATE, 0, 0, b"\0\x10\0\0") + sent
            )
            grown = resident_bytes() - before
            assert "grpc-status=b'8'" in answer[-1][2]
            assert obeying.seen == []
            return grown

    assert run(main()) < 60_000_000


def test_credentials_that_never_come_hold_no_connection() -> None:
    """Whoever was asked may keep the callback for good."""
    plugin = credentials.Plugin("never")
    local = grpc.LocalConnectionType.LOCAL_TCP
    of_channel = grpc.composite_channel_credentials(
        grpc.local_channel_credentials(local), credentials.credentials_of(plugin)
    )

    async def main() -> None:
        async with tls.serving_tls(grpc.local_server_credentials(local), service(Method=echo)) as running:
            before = open_files()
            for number in range(5):
                async with aio.secure_channel(running.target, of_channel) as channel:
                    call = channel.unary_unary("/test.Service/Method")(b"")
                    await until(functools.partial(plugin.asked_more_than, number))
                    call.cancel()
                    assert await call.code() is grpc.StatusCode.CANCELLED
            del call, channel
            await until(lambda: open_files() <= before, 10)
            for callback in plugin.callbacks:
                # Of calls and channels that are gone.
                callback((("x-token", "v"),), None)

    run(main())


_FAILURES = """
from filter_cases.rig import pair
from support import resident_bytes

# A server's limit of what it receives is not here: core makes such a peer wait.
SENT, RECEIVED = (("grpc.max_send_message_length", 1000),), (("grpc.max_receive_message_length", 1000),)

async def fail(channel, count):
    one = channel.unary_unary("/test.Service/unary_unary")
    many = channel.stream_stream("/test.Service/stream_stream")
    metadata = (("sizes", "[10, 2000]"),)
    for _ in range(count // 2):
        assert await one(bytes(2000), metadata=metadata).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        call = many(iter([bytes(10), bytes(2000)]), metadata=metadata)
        while not call.done():
            try:
                await call.read()
            except grpc.aio.AioRpcError:
                pass
        assert await call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED

async def main():
    async with pair(SENT) as one, pair(RECEIVED) as two, pair((), SENT) as three:
        pairs = [one, two, three]
        for channel, _ in pairs:
            await fail(channel, FIRST)
        gc.collect()
        before = resident_bytes()
        for channel, obeying in pairs:
            await fail(channel, COUNT)
            obeying.seen.clear()
        gc.collect()
        return resident_bytes() - before

print(json.dumps(uvloop.run(main())))
"""


def test_calls_that_fail_leave_no_memory() -> None:
    grown = run_program("FIRST, COUNT = 300, 1500\n" + _FAILURES).result
    assert grown < 1_500_000


def test_calls_that_fail_with_a_checked_allocator() -> None:
    environ = {"PYTHONMALLOC": "debug"}
    assert run_program("FIRST, COUNT = 0, 600\n" + _FAILURES, environ=environ).result > 0


def test_many_at_once_fail_for_their_credentials() -> None:
    async def main() -> None:
        plugin = credentials.Plugin("fails")
        async with credentials.secured("local", credentials.credentials_of(plugin)) as (channel, obeying):
            method = channel.unary_unary("/test.Service/unary_unary")
            errors = await asyncio.gather(*(error_of(method(b"")) for _ in range(MANY)))
            assert {error.code() for error in errors} == {grpc.StatusCode.UNAVAILABLE}
            assert len(plugin.callbacks) == MANY
            assert obeying.seen == []

    run(main())
