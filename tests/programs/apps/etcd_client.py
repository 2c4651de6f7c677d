# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""aetcd against etcd: etcd_client.py PORT PAIRS."""

import backend  # isort: skip

import asyncio
import sys
import time

import aetcd
import uvloop

CONCURRENCY = 50
port, pairs = int(sys.argv[1]), int(sys.argv[2])


async def main() -> None:
    async with aetcd.Client(host="127.0.0.1", port=port) as client:
        await client.put(b"first", b"1")
        before = time.process_time()
        numbers = iter(range(pairs))

        async def put_and_get() -> None:
            for number in numbers:
                key = b"key/%d" % number
                await client.put(key, b"%d" % number)
                found = await client.get(key)
                assert found is not None
                assert found.value == b"%d" % number

        await asyncio.gather(*(put_and_get() for _ in range(CONCURRENCY)))
        spent = time.process_time() - before
        assert len(list(await client.get_prefix(b"key/"))) == pairs
        await watch(client)
        lease = await client.lease(ttl=60)
        await client.put(b"leased", b"yes", lease=lease)
        await lease.revoke()
        assert await client.get(b"leased") is None
        backend.emit({**backend.report(client.channel), "cpu": spent})


async def watch(client: aetcd.Client) -> None:
    events = await client.watch(b"watched")
    await client.put(b"watched", b"seen")
    async for event in events:
        assert event.kv.value == b"seen"
        break
    await events.cancel()


uvloop.run(main())
