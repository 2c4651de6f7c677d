# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""fork() as programs use it (H11): multiprocessing, prefork servers, children that leave."""

from __future__ import annotations

import sys
import textwrap

import pytest
from forking import PARENT
from support import run_program

pytestmark = [
    pytest.mark.uvgrpc_only,
    pytest.mark.skipif(sys.platform != "linux", reason="what fork() does elsewhere is not known"),
]


@pytest.mark.parametrize("leave", ["sys.exit(3)", "raise SystemExit(3)", "os._exit(3)"])
def test_a_child_may_leave_the_parents_coroutine(leave: str) -> None:
    """The exception goes through the parent's loop, in the child."""
    outcome = run_program(
        f"""{PARENT}
async def use():
    pid = os.fork()
    if pid == 0:
        {leave}
    assert await reaped(pid) == 3

uvloop.run(with_parent(use))
""",
        limit=30,
    )
    assert outcome.result is True


# What a child does to leave, and where.
LEAVING = {
    "a task": "await asyncio.create_task(leave())",
    "a handler": "await wire.method('Leave')(b'')",
    "a callback": "loop.call_soon(sys.exit, 3); await asyncio.Event().wait()",
    "a block that awaits at its end": """
try:
    sys.exit(3)
finally:
    ended = loop.create_future()
    loop.call_later(0.01, ended.set_result, None)
    await ended
""",
    "behind a loop of its own": """
async def own():
    async with wired(uu(echo)) as own, asyncio.timeout(10):
        assert await own(b"own") == b"own"
uvloop.run(own())
sys.exit(3)
""",
    "the child of a child": """
if os.fork() == 0:
    sys.exit(3)
sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
""",
    "the child of a loop of its own": """
async def own():
    async with wired(uu(echo)) as own, asyncio.timeout(10):
        assert await own(b"own") == b"own"
        if os.fork() == 0:
            sys.exit(3)
        sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
uvloop.run(own())
""",
}


@pytest.mark.parametrize("place", LEAVING)
def test_a_child_may_leave_the_parents_loop_from_anywhere(place: str) -> None:
    """Whatever asyncio thinks of the parent's loop in the child, which depends on Python's version."""
    outcome = run_program(
        f"""{PARENT}
async def main():
    loop = asyncio.get_running_loop()
    forked = None

    async def leave(request=b"", context=None):
        nonlocal forked
        forked = os.fork()
        if forked == 0:
            sys.exit(3)
        return b""

    async with wired(uu(echo), methods={{"Leave": uu(leave)}}) as wire:
        if {place in ("a task", "a handler")}:
{textwrap.indent(LEAVING[place], " " * 12)}
        else:
            forked = os.fork()
            if forked == 0:
{textwrap.indent(LEAVING[place], " " * 16)}
        assert await reaped(forked) == 3
        assert await wire(b"on") == b"on"
    print("true")

uvloop.run(main())
""",
        limit=30,
    )
    assert (outcome.returncode, outcome.out) == (0, "true\n")
    # Before Python 3.14 asyncio says that nobody asked for the outcome of the handler's task.
    assert outcome.err == "" or place == "a handler"


def test_a_child_of_a_loop_with_an_exception_handler() -> None:
    """It hears of what goes wrong in the child, and of nothing else."""
    outcome = run_program(
        f"""{PARENT}
async def main():
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: heard.append(str(context.get("exception"))))
    async with wired(uu(echo)) as wire:
        assert await wire(b"x") == b"x"
        pid = os.fork()
        if pid == 0:
            loop.call_exception_handler({{"message": "its own"}})
            loop.call_later(0.01, int, "no number")
            loop.call_later(0.02, sys.exit, 3)
            await loop.create_future()
        assert await reaped(pid) == 3
        assert heard == []
    print("true")

heard = []
parent = os.getpid()
try:
    uvloop.run(main())
finally:
    if os.getpid() != parent:
        expected = ["None", "invalid literal for int() with base 10: 'no number'"]
        os._exit(3 if heard == expected else 4)
""",
        limit=30,
    )
    assert outcome.result is True


def test_multiprocessing_by_fork() -> None:
    outcome = run_program(
        f"""{PARENT}
import multiprocessing

def work(queue):
    async def main():
        async with asyncio.timeout(20), wired(uu(echo)) as own:
            queue.put([await own(b"own"), await wire(b"parents")])
    uvloop.run(main())

async def use():
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    processes = [context.Process(target=work, args=(queue,)) for _ in range(3)]
    for process in processes:
        process.start()
    while any(process.is_alive() for process in processes):
        await asyncio.sleep(0.005)
    assert [process.exitcode for process in processes] == [0] * 3
    assert [queue.get() for _ in processes] == [[b"own", b"parents"]] * 3

uvloop.run(with_parent(use))
""",
        limit=60,
    )
    assert outcome.result is True


def test_a_prefork_server() -> None:
    """As gunicorn does: the parent imports, makes a channel and uses it; the children serve."""
    outcome = run_program(
        f"""{PARENT}
import signal, socket

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]

# Made at import, without a loop.
channel = aio.insecure_channel(f"127.0.0.1:{{port}}")
method = channel.unary_unary("/test.Service/Method")

async def early():
    assert await method(b"", timeout=5).code() is grpc.StatusCode.UNAVAILABLE

uvloop.run(early())

async def who(request, context):
    if request == b"through":
        return b"%d>%d" % (os.getpid(), os.getppid())
    return b"%d" % os.getpid()

def worker():
    async def serve():
        server = aio.server(handlers=[service(Method=who)])
        server.add_insecure_port(f"127.0.0.1:{{port}}")
        await server.start()
        asyncio.get_running_loop().add_signal_handler(
            signal.SIGTERM, lambda: stops.append(asyncio.ensure_future(server.stop(5)))
        )
        # The inherited channel, in the worker.
        assert int(await method(b"", wait_for_ready=True, timeout=10))
        os.write(ready[1], b"x")
        await server.wait_for_termination()
    stops = []
    uvloop.run(serve())

ready = os.pipe()
workers = {{fork(worker) for _ in range(3)}}
for _ in workers:
    os.read(ready[0], 1)

async def master():
    seen = set()
    for _ in range(200):
        own = (("grpc.use_local_subchannel_pool", 1),)
        async with aio.insecure_channel(f"127.0.0.1:{{port}}", options=own) as one:
            seen.add(int(await one.unary_unary("/test.Service/Method")(b"")))
        if seen == workers:
            break
    assert seen == workers, (seen, workers)
    assert int(await method(b"")) in workers
    for pid in workers:
        os.kill(pid, signal.SIGTERM)
    assert [await reaped(pid) for pid in workers] == [0] * 3

uvloop.run(master())
print("true")
""",
        limit=60,
    )
    assert outcome.result is True


def test_a_child_of_a_thread_that_runs_no_loop() -> None:
    """The parent's loop runs elsewhere, and is idle."""
    outcome = run_program(
        f"""{PARENT}
started, finish = threading.Event(), None

async def serve():
    global finish, channel
    finish = asyncio.Event()
    async with wired(uu(echo)) as wire:
        assert await wire(b"x") == b"x"
        channel, loop["port"], loop["loop"] = wire.channel, wire.port, asyncio.get_running_loop()
        started.set()
        await finish.wait()
        assert await wire(b"y") == b"y"

loop = {{}}
thread = threading.Thread(target=lambda: uvloop.run(serve()))
thread.start()
started.wait()
time.sleep(0.1)

def child():
    async def main():
        async with asyncio.timeout(10):
            assert await channel.unary_unary("/test.Service/Method")(b"c") == b"c"
    uvloop.run(main())

pid = fork(child)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
loop["loop"].call_soon_threadsafe(finish.set)
thread.join()
print("true")
""",
        limit=30,
    )
    assert outcome.result is True


def test_names_are_looked_up_in_a_child_as_in_its_parent() -> None:
    """libuv's thread pool and c-ares' sockets begin anew."""
    outcome = run_program(
        f"""{PARENT}
async def look_up(port):
    async with asyncio.timeout(20), aio.insecure_channel(f"localhost:{{port}}") as channel:
        method = channel.unary_unary("/test.Service/Method")
        assert await method(b"x", wait_for_ready=True) == b"x"

async def main():
    async with wired(uu(echo)) as wire:
        await look_up(wire.port)
        assert await reaped(fork(lambda: uvloop.run(look_up(wire.port)))) == 0
        await look_up(wire.port)
    print("true")

uvloop.run(main())
""",
        limit=60,
    )
    assert outcome.result is True


def test_a_fork_between_a_call_and_its_start() -> None:
    """What was collected in the turn is started in the parent only."""
    outcome = run_program(
        f"""{PARENT}
served = []

async def count(request, context):
    served.append(request)
    return request

async def main():
    async with wired(uu(count)) as wire:
        assert await wire(b"first") == b"first"
        call = wire(b"second")
        pid = fork(lambda: call.cancel() and None)
        assert await call == b"second"
        assert await reaped(pid) == 0
        assert served == [b"first", b"second"]
    print("true")

uvloop.run(main())
""",
        limit=30,
    )
    assert outcome.result is True


def test_a_child_that_runs_the_parents_loop_on_does_nothing_to_the_parents() -> None:
    """They would share an epoll instance, and the ring of io_uring by which libuv changes it."""
    outcome = run_program(
        f"""{PARENT}
import socket

# asyncio has forgotten in a child that its loop runs.
async def watch(loop, seconds):
    end, seen = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            readable = loop.create_future()
            loop.add_reader(ours, lambda: readable.done() or readable.set_result(None))
            theirs.send(b"x")
            await readable
            loop.remove_reader(ours)
            seen += 1
    assert seen > 10

async def main():
    async with wired(uu(echo)) as wire:
        assert await wire(b"x") == b"x"
        loop, children = asyncio.get_running_loop(), []
        for _ in range(3):
            pid = os.fork()
            if pid == 0:
                await watch(loop, 1)
                sys.exit(3)
            children.append(pid)
        await watch(loop, 1)
        assert [await reaped(pid) for pid in children] == [3] * 3
        assert await wire(b"on") == b"on"
    print("true")

uvloop.run(main())
""",
        limit=30,
    )
    assert (outcome.returncode, outcome.out) == (0, "true\n"), outcome.err
