# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Which system calls a server makes under load."""

from harness.errors import BenchError
from harness.peers import Peer
from harness.scenario import AIO_PEERS, Bench, Measurement, Metric, Scenario, Target
from harness.tools import Strace

CALLS = 20_000
QUICK_CALLS = 2_000
# libuv submits its epoll_ctl calls through io_uring where the system has it.
WAIT = {"epoll_wait", "epoll_pwait", "epoll_pwait2", "epoll_ctl", "io_uring_enter"}
READ = {"read", "readv", "recvfrom", "recvmsg"}
WRITE = {"write", "writev", "sendto", "sendmsg"}
# Of the one connection that the load is made on.
CONNECTION = {
    *("accept", "accept4", "close", "fcntl", "getpeername", "getsockname", "getsockopt", "ioctl"),
    *("setsockopt", "shutdown"),
}
# The allocator's own, a few each time that it gives memory back.
MEMORY = {"brk", "madvise", "mmap", "mprotect", "mremap", "munmap"}
EXPECTED = WAIT | READ | WRITE | CONNECTION | MEMORY
SHOWN = 8


def measure(bench: Bench, peer: Peer) -> Measurement:
    calls = QUICK_CALLS if bench.quick else CALLS
    with bench.server(peer, "unary") as server:
        generator = server.h2load(streams=100)
        generator.measure(calls, 60)
        with Strace(server.child.pid, bench.load_core, bench.scratch) as strace:
            generator.measure(calls, 120)
        counts = strace.calls()
        versions = server.versions
    if not counts:
        raise BenchError("strace counted no system call of a server under load")
    stray = {name: count for name, count in counts.items() if name not in EXPECTED}
    values = {
        "all": sum(counts.values()) / calls,
        "wait": sum(counts.get(name, 0) for name in WAIT) / calls,
        "read": sum(counts.get(name, 0) for name in READ) / calls,
        "write": sum(counts.get(name, 0) for name in WRITE) / calls,
        "memory": sum(counts.get(name, 0) for name in MEMORY) / calls,
        "stray": sum(stray.values()) / calls,
    }
    shown = sorted(counts.items(), key=lambda item: -item[1])[:SHOWN]
    return Measurement(values, versions, ", ".join(f"{name} {count:,}" for name, count in shown))


SCENARIO = Scenario(
    name="strace",
    title="System calls of a server under load, per unary call",
    peers=AIO_PEERS,
    metrics=(
        Metric("all", "all", 3, ratio=True),
        Metric("wait", "epoll", 3),
        Metric("read", "read", 3),
        Metric("write", "write", 3),
        Metric("memory", "memory", 4),
        Metric("stray", "any other", 4),
    ),
    measure=measure,
    targets=(Target("stray", at_most=0.001),),
    once=True,
)
