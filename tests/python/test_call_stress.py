# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Calls of all kinds on two loops, while other threads drop, cancel, ask, and make mistakes.

UVGRPC_STRESS_SECONDS is how long it goes on (10 by default).
"""

from __future__ import annotations

import os

import pytest
from support import run_program

pytestmark = pytest.mark.uvgrpc_only

SECONDS = float(os.environ.get("UVGRPC_STRESS_SECONDS", "10"))

_STRESS = """
import collections, contextlib, faulthandler, logging, random, weakref
faulthandler.enable()
faulthandler.dump_traceback_later(SECONDS + 60, exit=True)
sys.setswitchinterval(1e-5)
logging.disable()

async def hang(request, context):
    held.append(context)
    await asyncio.sleep(3600)

async def chat(requests, context):
    async for request in requests:
        yield request

async def count(requests, context):
    return str(len([request async for request in requests])).encode()

async def few(request, context):
    for _ in range(5):
        yield request

SERVICE = service(
    Echo=echo,
    Hang=hang,
    Chat=grpc.stream_stream_rpc_method_handler(chat),
    Count=grpc.stream_unary_rpc_method_handler(count),
    Few=grpc.unary_stream_rpc_method_handler(few),
)
# What other threads do something to.
held = collections.deque(maxlen=300)
channels = collections.deque(maxlen=6)
end = time.monotonic() + SECONDS
counts = collections.Counter()
unclear = []

class Bomb:
    def __del__(self):
        time.sleep(random.choice((0, 0, 1e-4)))

def start(channel):
    kind = random.randrange(6)
    if kind == 0:
        return channel.unary_unary("/test.Service/Hang")(b"x", timeout=random.choice((None, 0.05)))
    if kind == 1:
        return channel.stream_stream("/test.Service/Chat")(iter([b"x"] * 20))
    if kind == 2:
        return channel.stream_stream("/test.Service/Chat")()
    if kind == 3:
        return channel.stream_unary("/test.Service/Count")(iter([b"x"] * 5))
    if kind == 4:
        return channel.unary_stream("/test.Service/Few")(b"x")
    return channel.unary_unary("/test.Service/Echo")(b"x")

async def work(channel):
    while time.monotonic() < end:
        for _ in range(5):
            call = start(channel)
            call.bomb = Bomb()
            if random.random() < 0.3:
                call.me = call
            if random.random() < 0.3:
                weakref.finalize(call, time.sleep, 0)
            held.append(call)
        del call
        if random.random() < 0.2:
            other = aio.insecure_channel(channel._target)
            held.append(start(other))
            channels.append(other)
            if random.random() < 0.5:
                await other.close()
            del other
        answers = await asyncio.wait_for(asyncio.gather(
            *(channel.unary_unary("/test.Service/Echo")(b"%d" % i) for i in range(10))), 30)
        assert answers == [b"%d" % i for i in range(10)], answers
        call = channel.stream_stream("/test.Service/Chat")()
        for _ in range(10):
            await call.write(b"y")
        await call.done_writing()
        assert [m async for m in call] == [b"y"] * 10
        del call
        counts["rounds"] += 1
        await asyncio.sleep(0)

async def main():
    async with serving(SERVICE) as running:
        ports.append(running.port)
        async with aio.insecure_channel(f"127.0.0.1:{running.port}") as channel:
            channels.append(channel)
            await asyncio.gather(*(work(channel) for _ in range(4)))

def step(coroutine):
    # The first step of a coroutine, by mistake in this thread.
    steps = coroutine.__await__()
    try:
        next(steps)
    except StopIteration:
        pass

def mistake(call, channel):
    kind = random.randrange(7)
    if kind == 0 and hasattr(call, "write"):
        step(call.write(b"wrong"))
    elif kind == 1 and hasattr(call, "read"):
        step(call.read())
    elif kind == 2 and hasattr(call, "done_writing"):
        step(call.done_writing())
    elif kind == 3 and hasattr(call, "code"):
        code = call.code()
        if asyncio.iscoroutine(code):
            step(code)
    elif kind == 4:
        channel.unary_unary("/test.Service/Echo")(b"wrong")
    elif kind == 5:
        step(channel.close())
    elif kind == 6:
        channel.stream_stream("/test.Service/Chat")(iter([b"wrong"]))

def meddle():
    while time.monotonic() < end:
        with contextlib.suppress(IndexError, ValueError):  # nothing held
            call, channel = held[random.randrange(len(held))], channels[random.randrange(len(channels))]
            kind = random.randrange(5)
            if kind == 0 and hasattr(call, "cancel"):
                call.cancel()
                counts["cancels"] += 1
            elif kind == 1:
                del call
                held.popleft()
                counts["drops"] += 1
            elif kind == 2:
                channel.get_state(random.random() < 0.5)
                counts["states"] += 1
            elif kind == 3:
                repr(call), getattr(call, "done", bool)()
            elif kind == 4 and random.random() < 0.2:
                try:
                    mistake(call, channel)
                except (RuntimeError, grpc.aio.UsageError, asyncio.InvalidStateError, asyncio.CancelledError,
                        grpc.aio.AioRpcError):
                    counts["mistakes"] += 1
                except BaseException as error:
                    unclear.append(repr(error))
            if random.random() < 0.002:
                gc.collect()
        call = channel = None
        time.sleep(0)

def briefly():
    # Threads that come and go: an identity, and an address, are used again.
    while time.monotonic() < end:
        with contextlib.suppress(IndexError):
            held.popleft()
        def once():
            with contextlib.suppress(IndexError):
                held.pop()
            with contextlib.suppress(Exception):
                channels[0].get_state(True)
        thread = threading.Thread(target=once)
        thread.start()
        thread.join()
        time.sleep(0.001)

ports = []
threads = [threading.Thread(target=target) for target in (meddle, meddle, meddle, briefly)]
threads.append(threading.Thread(target=lambda: uvloop.run(main())))
for thread in threads:
    thread.start()
uvloop.run(main())
for thread in threads:
    thread.join()
held.clear()
channels.clear()
gc.collect()
assert not unclear, unclear
print(json.dumps(counts))
"""


@pytest.mark.parametrize("allocator", ["debug", "malloc"])
def test_two_loops_stand_what_other_threads_do_to_their_calls(allocator: str) -> None:
    counts = run_program(
        f"SECONDS = {SECONDS / 2}\n{_STRESS}",
        environ={"PYTHONMALLOC": allocator},
        limit=SECONDS + 120,
    ).result
    assert set(counts) == {"rounds", "cancels", "drops", "states", "mistakes"}
