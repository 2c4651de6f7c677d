# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Clients of a process of their own that load a server, or measure how it answers.

python -m peers.probe TARGET SECONDS unary|stream|upload CALLS
python -m peers.probe TARGET SECONDS latency 1
"""

from __future__ import annotations

import asyncio
import itertools
import json
import struct
import sys
import time
from typing import Any

import uvloop

from peers import frames
from uvgrpc import aio

_HEAD = 9  # bytes of a frame's header


class _Load:
    def __init__(self, channel: Any, seconds: float) -> None:
        self.channel = channel
        self.target = sys.argv[1]
        self.answers = 0
        self.end = time.monotonic() + seconds
        self.times: list[float] = []

    async def frames(self, calls: int) -> None:
        """As unary(), but with `calls` under way and at a fraction of the CPU time."""
        connection = await frames.Connection.open(int(self.target.rpartition(":")[2]))
        # As much as may be: the answers are small.
        window = struct.pack(">I", 0x7FFF0000 - 65_535)
        connection.writer.write(frames.frame(frames.WINDOW_UPDATE, 0, 0, window))
        block = frames.headers("/t/M")
        streams = itertools.count(1, 2)
        buffer, wanted = b"", calls
        while time.monotonic() < self.end:
            connection.writer.write(b"".join(frames.request(next(streams), block) for _ in range(wanted)))
            await connection.writer.drain()
            buffer += await connection.reader.read(1 << 18)
            wanted = start = 0
            while len(buffer) - start >= _HEAD:
                end = start + _HEAD + int.from_bytes(buffer[start : start + 3], "big")
                if end > len(buffer):
                    break
                # The status of a call.
                wanted += buffer[start + 3] == frames.HEADERS and buffer[start + 4] & 1
                start = end
            self.answers += wanted
            buffer = buffer[start:]
        connection.close()

    async def unary(self) -> None:
        call = self.channel.unary_unary("/t/M")
        while time.monotonic() < self.end:
            await call(b"x")

    async def stream(self) -> None:
        call = self.channel.unary_stream("/t/S")(b"x")
        async for _ in call:
            if time.monotonic() > self.end:
                call.cancel()
                return

    async def upload(self) -> None:
        call = self.channel.stream_unary("/t/U")()
        while time.monotonic() < self.end:
            await call.write(bytes(1 << 20))
        await call.done_writing()
        await call

    async def latency(self) -> None:
        call = self.channel.unary_unary("/t/M")
        while time.monotonic() < self.end:
            started = time.monotonic()
            await call(b"x")
            self.times.append(1e3 * (time.monotonic() - started))
            await asyncio.sleep(0.002)


async def main() -> None:
    target, seconds, kind, calls = sys.argv[1:]
    async with aio.insecure_channel(target) as channel:
        load = _Load(channel, float(seconds))
        print("ready", flush=True)
        if kind == "frames":
            await load.frames(int(calls))
            print(json.dumps({"rate": load.answers / float(seconds)}))
        else:
            await asyncio.gather(*(getattr(load, kind)() for _ in range(int(calls))), return_exceptions=True)
    times = sorted(load.times)
    if times:
        quantiles = {f"p{percent}": times[len(times) * percent // 100] for percent in (50, 90, 99)}
        print(json.dumps({"n": len(times)} | quantiles))


uvloop.run(main())
