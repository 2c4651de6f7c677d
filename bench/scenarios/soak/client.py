# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Clients of the long soak: client.py uvgrpc|stock CONFIG, which is JSON.

    {"clients": 25, "seconds": 300, "roots": PEM, "forks": true,
     "targets": [["uvgrpc", port, tls_port], ["go", port, 0]]}

Each client has a channel, makes calls of all arities, checks every reply, cancels some, is late with
some, and connects anew from time to time. Prints a line of JSON each PERIOD seconds, and one at the end.
"""

from __future__ import annotations

import asyncio
import collections
import gc
import json
import os
import random
import sys
import time
import traceback
from typing import Any

import grpc
import grpc.aio
from server import answer, figures

PERIOD = 5.0
PAUSE = (0.05, 0.25)  # between the calls of a client, seconds
CALLS_PER_CHANNEL = 150
LIMIT = 30.0  # seconds for a call that is to succeed
RETRIES = 5
OPTIONS = [("grpc.use_local_subchannel_pool", 1)]
# In the words of core, a connection that is closed under a call: a server was restarted.
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


class Wrong(Exception):
    """A reply that is not the one."""


def check(found: object, wanted: object) -> None:
    if found != wanted:
        raise Wrong(f"{found!r:.100} is not {wanted!r:.100}")


class Soak:
    def __init__(self, aio: Any, config: dict[str, Any]) -> None:
        self._aio = aio
        self._config = config
        self.counts: collections.Counter[str] = collections.Counter()
        self.took: list[float] = []
        self.random = random.Random(config.get("seed"))

    def channel(self) -> tuple[str, Any]:
        kind, port, tls_port = self.random.choice(self._config["targets"])
        if tls_port and self.random.random() < 0.3:
            credentials = grpc.ssl_channel_credentials(self._config["roots"].encode())
            return kind, self._aio.secure_channel(f"localhost:{tls_port}", credentials, options=OPTIONS)
        return kind, self._aio.insecure_channel(f"127.0.0.1:{port}", options=OPTIONS)

    async def client(self, end: float) -> None:
        await asyncio.sleep(self.random.random())
        while time.monotonic() < end:
            kind, channel = self.channel()
            async with channel:
                for _ in range(self.random.randrange(CALLS_PER_CHANNEL)):
                    if time.monotonic() >= end:
                        break
                    await self._counted(kind, channel)
                    await asyncio.sleep(self.random.uniform(*PAUSE))
            self.counts["channels"] += 1

    async def _counted(self, kind: str, channel: Any) -> None:
        steps = [self._hello] if kind == "go" else [
            *([self._unary] * 6), self._down, self._up, self._chat, self._cancelled, self._late,
        ]  # fmt: skip
        step = self.random.choice(steps)
        for attempt in range(RETRIES):
            began = time.monotonic()
            try:
                await step(channel)
            except grpc.aio.AioRpcError as error:
                if error.code() is UNAVAILABLE and attempt < RETRIES - 1:
                    self.counts["again"] += 1
                    await asyncio.sleep(0.1)
                    continue
                self.counts["lost"] += 1
                print(f"{step.__name__} of {kind}: {error.code().name} {error.details()}", file=sys.stderr)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                # Nobody asked for it. grpc.aio's own calls end so, rarely, when their server goes.
                self.counts["stray"] += 1
                print(f"{step.__name__} of {kind}: CancelledError", file=sys.stderr)
            except Wrong as error:
                self.counts["wrong"] += 1
                print(f"{step.__name__} of {kind}: {error}", file=sys.stderr)
            else:
                self.counts[step.__name__] += 1
                if step in (self._unary, self._hello):
                    self.took.append(time.monotonic() - began)
            return

    def _payload(self) -> bytes:
        return self.random.randbytes(self.random.choice([0, 10, 100, 1000, 20_000, 100_000])).replace(
            b"\n", b"-"
        )

    async def _hello(self, channel: Any) -> None:
        request = b"\n\5world"
        check(await channel.unary_unary("/bench.Unary/SayHello")(request, timeout=LIMIT), answer(request))

    async def _unary(self, channel: Any) -> None:
        request = self._payload()
        method = channel.unary_unary("/soak.S/Unary")
        check(await method(request, timeout=LIMIT, wait_for_ready=True), answer(request))

    async def _down(self, channel: Any) -> None:
        count = self.random.randrange(50)
        call = channel.unary_stream("/soak.S/Down")(b"%d" % count, timeout=LIMIT)
        check([reply async for reply in call], [answer(b"%d" % index) for index in range(count)])

    async def _up(self, channel: Any) -> None:
        requests = [self._payload() for _ in range(self.random.randrange(10))]
        reply = await channel.stream_unary("/soak.S/Up")(iter(requests), timeout=LIMIT)
        check(reply, b"%d %d" % (len(requests), sum(map(len, requests))))

    async def _chat(self, channel: Any) -> None:
        call = channel.stream_stream("/soak.S/Chat")(timeout=LIMIT)
        for _ in range(self.random.randrange(1, 10)):
            request = self._payload()
            await call.write(request)
            check(await call.read(), answer(request))
        await call.done_writing()
        check(await call.read(), grpc.aio.EOF)
        check(await call.code(), grpc.StatusCode.OK)

    async def _cancelled(self, channel: Any) -> None:
        call = channel.unary_unary("/soak.S/Slow")(b"")
        await asyncio.sleep(self.random.random() / 50)
        call.cancel()
        code = await call.code()
        if code is not UNAVAILABLE:
            check(code, grpc.StatusCode.CANCELLED)

    async def _late(self, channel: Any) -> None:
        code = await channel.unary_unary("/soak.S/Slow")(b"", timeout=0.05).code()
        if code is not UNAVAILABLE:
            check(code, grpc.StatusCode.DEADLINE_EXCEEDED)

    async def forks(self, end: float) -> None:
        """A child each 10 s, which makes calls on a loop of its own."""
        while time.monotonic() < end:
            await asyncio.sleep(10)
            pid = os.fork()
            if pid == 0:
                status = 1
                try:
                    asyncio._set_running_loop(None)
                    import uvloop

                    uvloop.run(asyncio.wait_for(self._child(), 2 * LIMIT))
                    status = 0
                except BaseException:
                    traceback.print_exc()
                finally:
                    os._exit(status)
            while (found := os.waitpid(pid, os.WNOHANG))[0] == 0:  # noqa: ASYNC110, ASYNC222 - returns at once
                await asyncio.sleep(0.05)
            self.counts["forks" if found[1] == 0 else "lost"] += 1

    async def _child(self) -> None:
        _, channel = self.channel()
        async with channel:
            for _ in range(3):
                await self._hello(channel)

    def report(self) -> None:
        took, self.took = sorted(self.took), []
        at = {"p50": took[len(took) // 2], "p99": took[len(took) * 99 // 100]} if took else {}
        print(json.dumps({**self.counts, **at, **figures()}), flush=True)

    async def run(self) -> None:
        end = time.monotonic() + self._config["seconds"]
        tasks = [asyncio.create_task(self.client(end)) for _ in range(self._config["clients"])]
        if self._config.get("forks"):
            tasks.append(asyncio.create_task(self.forks(end)))
        while not all(task.done() for task in tasks):
            await asyncio.wait(tasks, timeout=PERIOD)
            self.report()
        await asyncio.gather(*tasks)
        del tasks
        for _ in range(20):
            gc.collect()
            await asyncio.sleep(0.05)
        self.report()


if __name__ == "__main__":
    configuration = json.loads(sys.argv[2])
    if sys.argv[1] == "uvgrpc":
        import uvloop

        import uvgrpc.aio

        uvloop.run(Soak(uvgrpc.aio, configuration).run())
    else:
        asyncio.run(Soak(grpc.aio, configuration).run())
