# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What is left of servers and RPCs that are over: nothing of core's, and what may still be asked."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
from typing import Any

import grpc
import pytest
from support import aio, resident_bytes, run, until

from uvgrpc import _core

pytestmark = pytest.mark.uvgrpc_only


async def _started(**methods: Any) -> tuple[Any, Any]:
    server = aio.server()
    handlers = {name: grpc.unary_unary_rpc_method_handler(one) for name, one in methods.items()}
    server.add_registered_method_handlers("t", handlers)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return server, aio.insecure_channel(f"127.0.0.1:{port}")


def test_contexts_answer_when_the_rpc_and_the_server_are_over() -> None:
    contexts: list[Any] = []

    async def handler(request: bytes, context: Any) -> bytes:
        contexts.append(context)
        context.set_code(grpc.StatusCode.NOT_FOUND)
        context.set_details("nothing")
        context.set_trailing_metadata((("a", "b"),))
        return request

    def state(context: Any) -> Any:
        return (
            context.peer(),
            tuple(context.invocation_metadata()),
            dict(context.auth_context()),
            context.peer_identities(),
            context.peer_identity_key(),
            context.code(),
            context.details(),
            context.trailing_metadata(),
            context.time_remaining() is not None,
        )

    async def main() -> None:
        server, channel = await _started(M=handler)
        call = channel.unary_unary("/t/M")(b"x", metadata=(("k", "v"), ("k-bin", b"\0")), timeout=60)
        assert await call.code() is grpc.StatusCode.NOT_FOUND
        before = state(contexts[0])
        assert before[0].startswith("ipv4:127.0.0.1:")
        assert ("k", "v") in before[1]
        assert ("k-bin", b"\0") in before[1]
        await channel.close()
        await server.stop(None)
        del server
        gc.collect()
        assert state(contexts[0]) == before
        assert contexts[0].done()
        with pytest.raises(aio.UsageError):
            await contexts[0].read()
        with pytest.raises(aio.UsageError):
            await contexts[0].send_initial_metadata(())

    run(main())
    # The loop is closed, too.
    assert state(contexts[0])[5] is grpc.StatusCode.NOT_FOUND


def _servers_in_channelz() -> int:
    return len(json.loads(_core.channelz_get_servers(0)).get("server", ()))


@pytest.mark.parametrize("keeper", ["server", "context", "traceback"])
def test_a_stopped_server_leaves_core_whoever_keeps_it(keeper: str) -> None:
    """200 of them: core's half of one is some 30 KB with its port and connection."""
    kept: list[Any] = []

    async def one() -> None:
        async def handler(request: bytes, context: Any) -> bytes:
            if keeper == "context":
                kept.append(context)
            if keeper == "traceback":
                try:
                    raise LookupError
                except LookupError as error:
                    kept.append(error)
            return request

        server, channel = await _started(M=handler)
        assert await channel.unary_unary("/t/M")(b"x") == b"x"
        await channel.close()
        await server.stop(None)
        if keeper == "server":
            kept.append(server)

    async def main() -> None:
        for _ in range(50):
            await one()
        gc.collect()
        before = resident_bytes()
        for _ in range(200):
            await one()
        gc.collect()
        assert resident_bytes() - before < 200 * 12_000
        await until(lambda: _servers_in_channelz() == 0)

    run(main(), limit=60)


def test_cancelled_reads_leave_nothing() -> None:
    async def reads(requests: Any, context: Any) -> bytes:
        sizes = []
        for _ in range(5):
            for _ in range(10_000):
                task = asyncio.ensure_future(context.read())
                await asyncio.sleep(0)
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            gc.collect()
            sizes.append(resident_bytes())
        return str(sizes[4] - sizes[1]).encode()

    async def main() -> None:
        server = aio.server()
        server.add_registered_method_handlers("t", {"M": grpc.stream_unary_rpc_method_handler(reads)})
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = channel.stream_unary("/t/M")()
            assert int(await call) < 1 << 20
        await server.stop(None)

    run(main(), limit=60)
