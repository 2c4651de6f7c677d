# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""A server to attack, in a process of its own, that tells how it is.

    python -m hostile.server uvgrpc|stock '{"options": [["grpc.max_...", 1]], "key": PEM, "chain": PEM}'

Prints its port; to every line on its input it answers with its figures, as JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

# How long a figure may take to get back to its floor, on a slow machine.
RECOVERY = 30.0


async def _echo(request: bytes, context: Any) -> bytes:
    return request


async def _big(request: bytes, context: Any) -> bytes:
    return bytes(int(request or b"100000"))


async def _upload(requests: Any, context: Any) -> bytes:
    total = 0
    async for request in requests:
        total += len(request)
    return str(total).encode()


async def _download(request: bytes, context: Any) -> AsyncIterator[bytes]:
    while True:
        yield bytes(1000)


def handler() -> Any:
    return grpc.method_handlers_generic_handler(
        "t",
        {
            "Echo": grpc.unary_unary_rpc_method_handler(_echo),
            "Big": grpc.unary_unary_rpc_method_handler(_big),
            "Upload": grpc.stream_unary_rpc_method_handler(_upload),
            "Download": grpc.unary_stream_rpc_method_handler(_download),
        },
    )


def figures() -> dict[str, float]:
    """What this process holds, and the CPU that it has used."""
    stats: dict[str, float] = {"handles": 0, "residents": 0}
    if "uvgrpc" in sys.modules:
        from uvgrpc import loop_stats

        found = loop_stats()
        stats = {
            "handles": found.handles,
            "residents": found.residents,
            # Turns of 8 ms and more, and all.
            "long": sum(found.turns[4:]),
            "turns": sum(found.turns),
        }
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        **stats,
        "rss": pages * os.sysconf("SC_PAGE_SIZE"),
        "fds": len(os.listdir("/proc/self/fd")),
        "tasks": len(asyncio.all_tasks()),
        "cpu": time.process_time(),
    }


async def serve(kind: str, config: dict[str, Any]) -> None:
    """Serves until the input ends."""
    aio: Any = grpc.aio
    if kind == "uvgrpc":
        import uvgrpc.aio

        aio = uvgrpc.aio
    server = aio.server(options=[tuple(option) for option in config.get("options", ())])
    server.add_generic_rpc_handlers([handler()])
    if "key" in config:
        credentials = grpc.ssl_server_credentials([(config["key"].encode(), config["chain"].encode())])
        port = server.add_secure_port("127.0.0.1:0", credentials)
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    # As docs/deployment.md says: a full collection would hold the loop up for 6 ms.
    gc.freeze()
    print(port, flush=True)
    ended = asyncio.Event()

    def asked() -> None:
        line = sys.stdin.buffer.raw.read(100)  # type: ignore[attr-defined]
        if not line:
            loop.remove_reader(0)
            ended.set()
            return
        if b"collect" in line:
            gc.collect()
        print(json.dumps(figures()), flush=True)

    loop = asyncio.get_running_loop()
    loop.add_reader(0, asked)
    await ended.wait()
    await server.stop(None)


class Target:
    """The server, for who attacks it."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self._process = process
        self.pid = process.pid
        self.port = port

    async def figures(self, *, collect: bool = False) -> dict[str, float]:
        """Its figures now; an answer means that its loop turns."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("collect\n" if collect else "\n")
        self._process.stdin.flush()
        found: dict[str, float] = json.loads(await asyncio.to_thread(self._process.stdout.readline))
        return found

    async def gets_to(self, descriptors: float) -> dict[str, float]:
        """Waits until it has that many."""
        while (found := await self.figures())["fds"] < descriptors:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)
        return found

    async def back_to(self, floor: dict[str, float], limit: float = RECOVERY) -> dict[str, float]:
        """Waits until it holds no more handles, calls, descriptors and tasks than at `floor`."""
        deadline = time.monotonic() + limit
        while True:
            found = await self.figures(collect=True)
            more = {
                name: (found[name], floor[name])
                for name in ("handles", "residents", "fds", "tasks")
                if found[name] > floor[name]
            }
            if not more:
                return found
            assert time.monotonic() < deadline, f"not given back: {more}"
            await asyncio.sleep(0.05)


@contextlib.contextmanager
def attacked(
    kind: str = "uvgrpc", *, environ: dict[str, str] | None = None, **config: Any
) -> Iterator[Target]:
    """A server for the time of an attack. It must survive it, with nothing to say on stderr."""
    with subprocess.Popen(
        [sys.executable, "-m", "hostile.server", kind, json.dumps(config)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environ,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Target(process, int(process.stdout.readline()))
            process.stdin.close()
            assert process.wait(30) == 0
        finally:
            process.kill()


if __name__ == "__main__":
    if sys.argv[1] == "uvgrpc":
        import uvloop

        uvloop.run(serve(sys.argv[1], json.loads(sys.argv[2])))
    else:
        asyncio.run(serve(sys.argv[1], json.loads(sys.argv[2])))
