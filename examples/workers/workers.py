# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Several processes on one port: python workers.py [PORT [COUNT]]. SIGHUP replaces them one by one."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process


def reserve(port: int) -> socket.socket:
    """Takes the port, also while no worker has it. Connections go to those who listen only."""
    reservation = socket.socket()
    reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    reservation.bind(("127.0.0.1", port))
    return reservation


async def start(port: int) -> Process:
    # In a session of its own: Ctrl-C is for this process, which then tells the workers.
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "worker.py", str(port), stdout=PIPE, start_new_session=True
    )
    assert worker.stdout is not None
    if await worker.stdout.readline() != b"ready\n":
        sys.exit("a worker did not start")
    print(f"worker {worker.pid} is ready", flush=True)
    return worker


async def stop(worker: Process) -> None:
    worker.terminate()
    await worker.wait()
    print(f"worker {worker.pid} has ended", flush=True)


async def main(port: int, count: int) -> None:
    signals: asyncio.Queue[int] = asyncio.Queue()
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, signals.put_nowait, number)
    with reserve(port) as reservation:
        port = reservation.getsockname()[1]
        workers = [await start(port) for _ in range(count)]
        print(f"listening on port {port}", flush=True)
        while await signals.get() == signal.SIGHUP:
            for at, old in enumerate(workers):
                workers[at] = await start(port)
                await stop(old)
            print("all replaced", flush=True)
        await asyncio.gather(*map(stop, workers))


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:]]
    asyncio.run(main(*(numbers + [0, os.cpu_count() or 1][len(numbers) :])))
