# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Between its runs a loop is nobody's: set up here, run there, closed somewhere else."""

from __future__ import annotations

import pytest
from support import run_program

pytestmark = pytest.mark.uvgrpc_only

_PRELUDE = """
import faulthandler
faulthandler.enable()
sys.setswitchinterval(1e-5)

def in_thread(work, *arguments):
    # Runs it in a new thread to its end; gives what it gave.
    results = []
    thread = threading.Thread(target=lambda: results.append(work(*arguments)))
    thread.start()
    thread.join()
    return results[0]

async def hang(request, context):
    await asyncio.sleep(3600)

SERVICE = service(Echo=echo, Hang=hang)

async def served():
    server = aio.server(handlers=[SERVICE])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return server, port

async def called(channel, number=20):
    method = channel.unary_unary("/test.Service/Echo")
    for start in range(number):
        assert await asyncio.gather(*(method(b"%d" % i) for i in range(20))) == [b"%d" % i for i in range(20)]
    return True
"""


def check(body: str) -> None:
    """Runs a program with Python's debugging allocator; it prints nothing."""
    source = _PRELUDE + body + "\ngc.collect()\nprint('null')\n"
    assert run_program(source, environ={"PYTHONMALLOC": "debug"}).result is None


def test_set_up_in_one_thread_and_run_in_another_and_closed_in_a_third() -> None:
    check(
        """
for _ in range(5):
    loop = uvloop.new_event_loop()
    server, port = loop.run_until_complete(served())
    async def made():
        return aio.insecure_channel(f"127.0.0.1:{port}")
    channel = in_thread(loop.run_until_complete, made())
    assert loop.run_until_complete(called(channel))
    assert in_thread(loop.run_until_complete, called(channel))
    call = channel.unary_unary("/test.Service/Hang")
    in_thread(loop.close)
    del server, channel, call
"""
    )


def test_what_is_dropped_while_the_loop_runs_in_another_thread_than_it_was_made_in() -> None:
    check(
        """
async def many(port):
    return [aio.insecure_channel(f"127.0.0.1:{port}") for _ in range(20)]

loop = uvloop.new_event_loop()
server, port = loop.run_until_complete(served())
channels = loop.run_until_complete(many(port))
for channel in channels:
    assert loop.run_until_complete(called(channel, 1))
thread = threading.Thread(target=loop.run_until_complete, args=(called(channels[0], 100),))
del channel
thread.start()
while len(channels) > 1:
    channels.pop()
    time.sleep(0.002)
thread.join()
loop.run_until_complete(channels.pop().close())
loop.run_until_complete(server.stop(None))
loop.close()
"""
    )


def test_between_runs_any_thread_may_act_for_the_loop() -> None:
    check(
        """
loop = uvloop.new_event_loop()
server, port = loop.run_until_complete(served())

async def made():
    return aio.insecure_channel(f"127.0.0.1:{port}")

channel = loop.run_until_complete(made())
method = channel.unary_unary("/test.Service/Echo")
calls = [in_thread(method, b"%d" % i) for i in range(20)]
assert calls[0].cancel()
assert in_thread(calls[1].cancel)
in_thread(channel.get_state, True)

async def all_of_them():
    return [await call for call in calls[2:]]

assert in_thread(loop.run_until_complete, all_of_them()) == [b"%d" % i for i in range(2, 20)]
in_thread(loop.run_until_complete, channel.close())
loop.run_until_complete(server.stop(None))
loop.close()
"""
    )


def test_a_thread_that_ended_is_not_the_next_one_with_its_address() -> None:
    check(
        """
loop = uvloop.new_event_loop()
server, port = in_thread(loop.run_until_complete, served())

async def made():
    return aio.insecure_channel(f"127.0.0.1:{port}")

channel = in_thread(loop.run_until_complete, made())
stop = threading.Event()
refused, states = [], []

def mistake():
    try:
        channel.unary_unary("/test.Service/Echo")(b"x")
    except RuntimeError as error:
        refused.append(str(error))
    states.append(channel.get_state())

async def main():
    while not stop.is_set():
        await called(channel, 1)

running = threading.Thread(target=loop.run_until_complete, args=(main(),))
running.start()
time.sleep(0.05)
identities = set()
for _ in range(200):
    thread = threading.Thread(target=mistake)
    thread.start()
    identities.add(thread.ident)
    thread.join()
stop.set()
running.join()
assert len(identities) < 200, "no identity was used again"
assert len(refused) == len(states) == 200, (len(refused), len(states))
assert all("call_soon_threadsafe(" in text for text in refused)
loop.run_until_complete(channel.close())
loop.run_until_complete(server.stop(None))
loop.close()
"""
    )


def test_two_loops_at_the_same_time_drop_what_is_the_other_ones() -> None:
    check(
        """
import collections
bag = collections.deque()
end = time.monotonic() + 1.5

async def main():
    server, port = await served()
    async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        while time.monotonic() < end:
            other = aio.insecure_channel(f"127.0.0.1:{port}")
            bag.append(other.unary_unary("/test.Service/Hang")(b"x"))
            bag.append(channel.stream_stream("/test.Service/Nothing")(iter([b"x"] * 10)))
            bag.append(other)
            spare = aio.server()
            spare.add_insecure_port("127.0.0.1:0")
            await spare.start()
            bag.append(spare)
            del other, spare
            await called(channel, 1)
            for _ in range(4):
                if bag:
                    bag.popleft()
    await server.stop(None)

threads = [threading.Thread(target=lambda: uvloop.run(main())) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
bag.clear()
"""
    )


def test_a_loop_is_closed_in_another_thread_than_it_ran_on_with_everything_open() -> None:
    check(
        """
async def open_everything():
    server, port = await served()
    channel = aio.insecure_channel(f"127.0.0.1:{port}")
    await called(channel, 1)
    calls = [channel.unary_unary("/test.Service/Hang")(b"x") for _ in range(5)]
    calls.append(channel.stream_stream("/test.Service/Hang")())
    await asyncio.sleep(0.01)
    return server, channel, calls

for _ in range(10):
    loop = uvloop.new_event_loop()
    server, channel, calls = in_thread(loop.run_until_complete, open_everything())
    for task in asyncio.all_tasks(loop):
        task._log_destroy_pending = False
    in_thread(loop.close)
    assert all(call.done() for call in calls)
    in_thread(calls.clear)
    del server, channel
"""
    )


def test_daemon_threads_with_loops_when_the_interpreter_exits() -> None:
    source = (
        _PRELUDE
        + """
ready = threading.Semaphore(0)

async def work():
    server, port = await served()
    channel = aio.insecure_channel(f"127.0.0.1:{port}")
    async def forever():
        while True:
            call = channel.unary_unary("/test.Service/Echo")(bytes(20_000))
            call.add_done_callback(lambda _: None)
            await call
            ready.release()
    await asyncio.gather(*(forever() for _ in range(10)))

for _ in range(2):
    threading.Thread(target=lambda: uvloop.run(work()), daemon=True).start()
for _ in range(100):
    assert ready.acquire(timeout=60)
"""
    )
    for _ in range(20):
        outcome = run_program(source)
        assert (outcome.returncode, outcome.err) == (0, "")
