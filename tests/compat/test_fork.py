# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""fork() with channels, servers and calls open (H11): both sides work, in silence."""

from __future__ import annotations

import sys

import pytest
from support import run_program

pytestmark = [
    pytest.mark.uvgrpc_only,
    pytest.mark.skipif(sys.platform != "linux", reason="what fork() does elsewhere is not known"),
]

# A parent with a server, a channel, a call that waits and a stream that flows.
_PARENT = """
from rig import ss, us, uu, wired

def fork(function):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = function() or 0
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    return pid

async def reaped(pid):
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        await asyncio.sleep(0.005)

go = None

async def wait(request, context):
    await go.wait()
    return b"waited"

async def back(requests, context):
    async for request in requests:
        yield request

async def with_parent(use):
    global go, wire, waiting, stream, native
    go = asyncio.Event()
    async with wired(uu(echo), methods={"Wait": uu(wait), "Back": ss(back)}) as wire:
        waiting = wire.method("Wait")(b"")
        stream = wire.method("Back")()
        await stream.write(b"1")
        assert await stream.read() == b"1"
        native = asyncio.get_running_loop()._uvgrpc_loop
        await use()
        # All of it goes on.
        assert not waiting.done()
        await stream.write(b"2")
        assert await stream.read() == b"2"
        assert [await wire(b"%d" % n) for n in range(20)] == [b"%d" % n for n in range(20)]
        go.set()
        assert await waiting == b"waited"
        await stream.done_writing()
        assert await stream.read() is aio.EOF
    print("true")
"""


def _check(child: str, code: int = 0, use: str = "") -> None:
    """Runs a parent that forks, and checks both sides.

    Args:
      child: the body of a function that the child runs.
      code: what the child exits with.
      use: what the parent does while the child lives.
    """
    body = "\n".join(f"    {line}" for line in child.strip().splitlines())
    meanwhile = "\n".join(f"    {line}" for line in use.strip().splitlines())
    outcome = run_program(
        f"""{_PARENT}
def child():
{body}

async def use():
    pid = fork(child)
{meanwhile}
    assert await reaped(pid) == {code}

uvloop.run(with_parent(use))
""",
        limit=30,
    )
    assert outcome.result is True


def test_a_child_that_exits_at_once_leaves_the_parent_alone() -> None:
    _check("return 7", code=7)


def test_a_child_that_drops_everything_leaves_the_parent_alone() -> None:
    _check(
        """
global wire, waiting, stream
wire.channel._core = None
waiting.cancel()
stream.cancel()
del wire, waiting, stream
gc.collect()
"""
    )


def test_a_child_that_closes_the_parents_loop_leaves_the_parent_alone() -> None:
    _check(
        """
native.shutdown()
assert waiting.done() and stream.done()
"""
    )


def test_a_channel_of_the_parent_connects_anew_in_the_child() -> None:
    _check(
        """
async def main():
    async with asyncio.timeout(10):
        for n in range(20):
            assert await wire(b"%d" % n) == b"%d" % n
        assert wire.channel.get_state() is grpc.ChannelConnectivity.READY
        await wire.channel.close()

uvloop.run(main())
"""
    )


def test_a_multi_callable_of_the_parent_works_in_the_child() -> None:
    _check(
        """
async def main():
    async with asyncio.timeout(10):
        assert await method(b"x") == b"x"

uvloop.run(main())
""".replace("method(", "wire.method()(")
    )


def test_a_child_serves_and_calls_on_its_own() -> None:
    _check(
        """
async def main():
    async with asyncio.timeout(10), wired(uu(echo)) as own:
        for n in range(20):
            assert await own(b"%d" % n) == b"%d" % n

for _ in range(3):
    uvloop.run(main())
"""
    )


def test_children_of_children() -> None:
    _check(
        """
async def main():
    async with asyncio.timeout(10), wired(uu(echo)) as own:
        assert await own(b"x") == b"x"

        def grandchild():
            async def inner():
                async with asyncio.timeout(10), wired(uu(echo)) as inner:
                    assert await inner(b"y") == b"y"
                    assert await own(b"z") == b"z"
                    assert await wire(b"u") == b"u"
            uvloop.run(inner())

        assert await reaped(fork(grandchild)) == 0
        assert await own(b"x") == b"x"

uvloop.run(main())
"""
    )


def test_a_server_of_the_parent_is_stopped_in_the_child() -> None:
    _check(
        """
async def main():
    await wire.server.stop(None)
    await wire.server.stop(5)
    assert await wire.server.wait_for_termination() is False
    try:
        await wire.server.start()
    except aio.UsageError as error:
        assert "process that forked" in str(error)
    else:
        raise AssertionError

uvloop.run(main())
"""
    )


def test_a_channel_of_the_parent_without_a_loop_says_so_in_the_child() -> None:
    _check(
        """
try:
    wire()
except RuntimeError as error:
    assert "needs a running event loop" in str(error)
else:
    raise AssertionError
"""
    )


def test_many_children_at_once() -> None:
    _check(
        """
async def main():
    async with asyncio.timeout(20):
        assert await wire(b"x") == b"x"

uvloop.run(main())
""",
        use="""
others = [fork(child) for _ in range(5)]
assert [await reaped(other) for other in others] == [0] * 5
""",
    )


def test_a_child_does_not_hold_the_parents_connections_and_ports() -> None:
    outcome = run_program(
        f"""{_PARENT}
import socket

async def main():
    ready, done = os.pipe(), os.pipe()

    def child():
        os.write(ready[1], b"x")
        os.read(done[0], 1)

    async with wired(uu(echo)) as wire:
        assert await wire(b"x") == b"x"
        port = wire.port
        pid = fork(child)
        os.read(ready[0], 1)
    # The child lives; nothing is left of the port.
    with socket.socket() as again:
        again.bind(("127.0.0.1", port))
    inodes = set()
    os.write(done[1], b"x")
    assert await reaped(pid) == 0
    print("true")

uvloop.run(main())
""",
        limit=30,
    )
    assert outcome.result is True


def test_a_unix_socket_of_the_parent_outlives_the_child() -> None:
    outcome = run_program(
        f"""{_PARENT}
import tempfile

async def main():
    with tempfile.TemporaryDirectory() as folder:
        address = f"unix:{{folder}}/socket"
        server = aio.server(handlers=[service(Method=echo)])
        server.add_insecure_port(address)
        await server.start()
        native = asyncio.get_running_loop()._uvgrpc_loop
        assert await reaped(fork(native.shutdown)) == 0
        async with aio.insecure_channel(address) as channel:
            assert await channel.unary_unary("/test.Service/Method")(b"x", timeout=5) == b"x"
        await server.stop(None)
        assert os.listdir(folder) == []
    print("true")

uvloop.run(main())
""",
        limit=30,
    )
    assert outcome.result is True


@pytest.mark.parametrize("leave", ["sys.exit(3)", "raise SystemExit(3)", "os._exit(3)"])
def test_a_child_may_leave_the_parents_coroutine(leave: str) -> None:
    """The exception goes through the parent's loop, in the child."""
    outcome = run_program(
        f"""{_PARENT}
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


def test_multiprocessing_by_fork() -> None:
    outcome = run_program(
        f"""{_PARENT}
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
        f"""{_PARENT}
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
        f"""{_PARENT}
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
        f"""{_PARENT}
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
        f"""{_PARENT}
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
