# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What a server does at twice its capacity: python -m hostile.overload [--seconds 5].

A call takes WORK_US of CPU and SLEEP_MS of waiting. The load comes at a fixed rate, however
slow the server is. Prints a table, and ends with 1 when a bound is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import json
import os
import subprocess
import sys
import time
from typing import Any

import grpc
import uvloop

import uvgrpc.aio
from hostile.probe import summary

WORK_US, SLEEP_MS = 200, 5
# What fits in that while the CPU is busy, and half as much again.
LIMIT = 40
CHANNELS = 4
MIB = 1 << 20


async def _work(request: bytes, context: Any) -> bytes:
    end = time.perf_counter() + WORK_US / 2e6
    while time.perf_counter() < end:
        pass
    await asyncio.sleep(SLEEP_MS / 1e3)
    end = time.perf_counter() + WORK_US / 2e6
    while time.perf_counter() < end:
        pass
    return request


async def _serve(limit: int | None) -> None:
    server = uvgrpc.aio.server(maximum_concurrent_rpcs=limit)
    server.add_registered_method_handlers("t", {"Work": grpc.unary_unary_rpc_method_handler(_work)})
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    await server.start()
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(0, ended.set)
    await ended.wait()
    loop.remove_reader(0)
    await server.stop(None)


class Load:
    """Calls on some channels, and what came of them."""

    def __init__(self, channels: list[Any]) -> None:
        self._methods = [channel.unary_unary("/t/Work") for channel in channels]
        self._tasks: set[asyncio.Task[None]] = set()
        self.took: list[tuple[float, float]] = []  # when it ended, and how long it took
        self.codes: collections.Counter[str] = collections.Counter()

    async def _one(self, method: Any) -> None:
        began = time.monotonic()
        try:
            await method(b"x", timeout=30)
        except grpc.aio.AioRpcError as error:
            self.codes[error.code().name] += 1
        else:
            ended = time.monotonic()
            self.codes["OK"] += 1
            self.took.append((ended, ended - began))

    async def closed(self, at_once: int, seconds: float) -> float:
        """Calls one after the other; gives how many a second succeed."""
        end = time.monotonic() + seconds

        async def one(index: int) -> None:
            while time.monotonic() < end:
                await self._one(self._methods[index % CHANNELS])

        await asyncio.gather(*(one(index) for index in range(at_once)))
        return self.codes["OK"] / seconds

    async def paced(self, rate: float, seconds: float) -> None:
        """Calls at a rate, all at once that are due. Does not wait for them."""
        start = time.monotonic()
        sent = 0
        while (now := time.monotonic()) < start + seconds:
            while sent < (now - start) * rate:
                task = asyncio.create_task(self._one(self._methods[sent % CHANNELS]))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                sent += 1
            await asyncio.sleep(0.001)

    async def drained(self) -> None:
        await asyncio.gather(*self._tasks)


def _resident(pid: int) -> int:
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def _measure(limit: int | None, seconds: float, peak: float | None) -> dict[str, float]:
    command = [sys.executable, "-m", "hostile.overload", "serve", json.dumps(limit)]
    # It takes a moment in which there is nothing else to do.
    with subprocess.Popen(  # noqa: ASYNC220
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        port = int(process.stdout.readline())
        options = [("grpc.use_local_subchannel_pool", 1)]
        channels = [uvgrpc.aio.insecure_channel(f"127.0.0.1:{port}", options) for _ in range(CHANNELS)]
        await Load(channels).closed(LIMIT, 1)
        if peak is None:
            peak = await Load(channels).closed(LIMIT, seconds)
        easy = Load(channels)
        await easy.paced(0.8 * peak, seconds)
        await easy.drained()
        before = _resident(process.pid)
        hard = Load(channels)
        await hard.paced(2 * peak, seconds)
        good = len(hard.took) / seconds
        grown = _resident(process.pid) - before
        over = time.monotonic()
        after = Load(channels)
        await after.paced(0.8 * peak, seconds)
        await after.drained()
        await hard.drained()
        at_80 = summary([took for _, took in easy.took])
        at_200 = summary([took for _, took in hard.took])
        # The last tenth of a second, after the overload, in which a call took longer than at 80 %.
        late = [ended for ended, took in after.took if took > 2e-3 * at_80["p99"]]
        found = {
            "peak": peak,
            "goodput": good / peak,
            "p99_at_80": at_80["p99"],
            "p99_at_200": at_200["p99"],
            "refused": hard.codes["RESOURCE_EXHAUSTED"] / max(1, sum(hard.codes.values())),
            "failed": sum(hard.codes.values()) - hard.codes["OK"] - hard.codes["RESOURCE_EXHAUSTED"],
            "grown": grown / MIB,
            "recovery": max(0.0, _end_of_trouble(late, after.took) - over),
        }
        for channel in channels:
            await channel.close()
        process.stdin.close()
        process.wait(30)
    return found


def _end_of_trouble(late: list[float], took: list[tuple[float, float]]) -> float:
    """When, for the first time, less than 2 % of the calls of 0.1 s were late."""
    if not took:
        return time.monotonic()
    start = took[0][0]
    bins: dict[int, list[int]] = {}
    for ended, _ in took:
        bins.setdefault(int((ended - start) * 10), [0, 0])[0] += 1
    for ended in late:
        bins[int((ended - start) * 10)][1] += 1
    for index in sorted(bins):
        count, bad = bins[index]
        if bad <= 0.02 * count:
            return start + index / 10
    return took[-1][0]


async def main(seconds: float) -> int:
    limited = await _measure(LIMIT, seconds, None)
    free = await _measure(None, seconds, limited["peak"])
    print(f"{WORK_US} µs of CPU and {SLEEP_MS} ms of waiting a call, peak {limited['peak']:.0f} a second\n")
    print(
        "| limit | goodput at 2 x | p99 at 80 % | p99 of the accepted at 2 x | refused | other failures "
        "| RSS in the overload | recovered after |\n| --- | --- | --- | --- | --- | --- | --- | --- |"
    )
    for name, found in ((str(LIMIT), limited), ("none", free)):
        print(
            f"| {name} | {found['goodput']:.0%} | {found['p99_at_80']:.1f} ms | {found['p99_at_200']:.1f} ms "
            f"| {found['refused']:.0%} | {found['failed']:.0f} | +{found['grown']:.1f} MiB "
            f"| {found['recovery']:.1f} s |"
        )
    right = (
        limited["goodput"] >= 0.9
        and limited["p99_at_200"] <= 3 * limited["p99_at_80"]
        and limited["recovery"] <= 1
        and not limited["failed"]
    )
    print(f"\nbounds (goodput 90 %, p99 3 x, recovery 1 s): {'kept' if right else 'missed'}")
    return 0 if right else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        uvloop.run(_serve(json.loads(sys.argv[2])))
    else:
        parser = argparse.ArgumentParser(description=__doc__)
        parser.add_argument("--seconds", type=float, default=5.0)
        sys.exit(uvloop.run(main(parser.parse_args().seconds)))
