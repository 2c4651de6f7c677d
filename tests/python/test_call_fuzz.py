# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Random lives of calls: half-closes, drops, cancels, deadlines, channel and loop closes.

UVGRPC_FUZZ_SECONDS is how long it goes on (30 by default), UVGRPC_FUZZ_SEED begins with
the seed that a failure has printed.
"""

from __future__ import annotations

import os
import time

import pytest
from support import run_program

pytestmark = pytest.mark.uvgrpc_only

SECONDS = float(os.environ.get("UVGRPC_FUZZ_SECONDS", "30"))
SEED = int(os.environ.get("UVGRPC_FUZZ_SEED", time.time_ns() % 10**9))

# A round is a loop of its own: channels, tasks that live calls, and an end. Everything is
# decided by the round's seed; only the timing of the machine is not.
_FUZZ = """
import contextlib, faulthandler, logging, random, socket
from functools import partial
faulthandler.enable()
logging.disable()

async def behave(requests, context):
    # A handler whose behaviour the client asks for.
    how = dict(context.invocation_metadata()).get("how", "echo")
    if how == "hang":
        await asyncio.sleep(3600)
    if how == "abort":
        await context.abort(grpc.StatusCode.ABORTED, "asked for")
    if how == "raise":
        raise ValueError
    if how == "early":
        return
    if hasattr(requests, "__aiter__"):
        async for request in requests:
            if how == "slow":
                await asyncio.sleep(0.001)
            yield request
    else:
        for _ in range(3):
            yield requests

async def one(requests, context):
    last = b"none"
    async for last in behave(requests, context):
        pass
    return last

SERVICE = service(
    unary_unary=grpc.unary_unary_rpc_method_handler(one),
    unary_stream=grpc.unary_stream_rpc_method_handler(behave),
    stream_unary=grpc.stream_unary_rpc_method_handler(one),
    stream_stream=grpc.stream_stream_rpc_method_handler(behave),
)
ARITIES = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
EXPECTED = (grpc.aio.AioRpcError, asyncio.InvalidStateError, grpc.aio.UsageError, asyncio.CancelledError)
callbacks = [0, 0]

async def live(random, channel, kept):
    arity = random.choice(ARITIES)
    how = random.choice(("echo", "echo", "echo", "hang", "abort", "raise", "early", "slow"))
    method = getattr(channel, arity)("/test.Service/" + arity)
    timeout = random.choice((None, None, None, 0, 0.001, 0.02))
    size = random.choice((0, 1, 1000, 40_000))
    request = bytes(size)
    if arity.startswith("unary"):
        call = method(request, timeout=timeout, metadata=(("how", how),))
    elif random.random() < 0.3:
        call = method(iter([request] * random.randrange(20)), timeout=timeout, metadata=(("how", how),))
    else:
        call = method(timeout=timeout, metadata=(("how", how),))
    if random.random() < 0.5:
        callbacks[0] += 1
        call.add_done_callback(lambda call: callbacks.__setitem__(1, callbacks[1] + 1))
    for _ in range(random.randrange(8)):
        action = random.choice(ACTIONS)
        await action(random, call, request)
    if random.random() < 0.2:
        kept.append((call, channel))

async def write(random, call, request):
    if hasattr(call, "write"):
        for _ in range(random.choice((1, 1, 5, 40))):
            await asyncio.wait_for(call.write(request), random.choice((0.001, 1)))

async def half_close(random, call, request):
    if hasattr(call, "done_writing"):
        await call.done_writing()

async def read(random, call, request):
    if hasattr(call, "read"):
        await asyncio.wait_for(call.read(), random.choice((0.001, 0.05)))

async def iterate(random, call, request):
    if hasattr(call, "__aiter__"):
        async with asyncio.timeout(0.05):
            async for _ in call:
                if random.random() < 0.1:
                    return

async def wait(random, call, request):
    if not hasattr(call, "read"):
        await asyncio.wait_for(asyncio.shield(call.code()), 0.05)

async def ask(random, call, request):
    repr(call), call.done(), call.time_remaining()
    await asyncio.wait_for(random.choice((call.initial_metadata, call.wait_for_connection))(), 0.02)

async def cancel(random, call, request):
    if random.random() < 0.3:
        call.cancel()

async def turn(random, call, request):
    await asyncio.sleep(random.choice((0, 0, 0, 0.001)))

ACTIONS = (write, write, half_close, read, iterate, wait, ask, cancel, turn, turn)

async def lives(random, targets, channels, kept, end):
    while time.monotonic() < end:
        with contextlib.suppress(TimeoutError, *EXPECTED):
            if random.random() < 0.05 or not channels:
                channels.append(aio.insecure_channel(random.choice(targets)))
            if random.random() < 0.03:
                doomed = channels.pop(random.randrange(len(channels)))
                if random.random() < 0.7:
                    await doomed.close(random.choice((None, None, 0.01)))
                continue
            if random.random() < 0.01:
                gc.collect()
            await live(random, random.choice(channels), kept)
        if kept and random.random() < 0.1:
            kept.pop(random.randrange(len(kept)))
        await asyncio.sleep(0)

async def round(random, port):
    targets = [f"127.0.0.1:{port}"] * 8 + ["127.0.0.1:1", f"127.0.0.1:{mute.getsockname()[1]}"]
    channels, kept = [], []
    end = time.monotonic() + 0.6
    tasks = [asyncio.ensure_future(lives(random, targets, channels, kept, end)) for _ in range(4)]
    await asyncio.gather(*tasks)
    if random.random() < 0.5:
        return channels, kept  # for the loop to end
    for channel in channels:
        await channel.close()
    for call, channel in kept:
        if not channel._closed:  # dropped, which ends no call
            call.cancel()
        await call.code()
    call = channel = None
    channels.clear(), kept.clear()
    del tasks
    for _ in range(2000):
        gc.collect()
        if uvgrpc.loop_stats().residents == floor:
            break
        await asyncio.sleep(0.005)
    else:
        raise AssertionError(f"not all ended: {uvgrpc.loop_stats()}")

async def main(random):
    global floor
    server = aio.server(handlers=[SERVICE])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    floor = 1
    async with asyncio.timeout(60):
        kept = await round(random, port)
        if random.random() < 0.5:
            await server.stop(random.choice((None, 0.01)))
    return kept

end, seed = time.monotonic() + SECONDS, SEED
mute = socket.create_server(("127.0.0.1", 0))
while time.monotonic() < end:
    print(f"UVGRPC_FUZZ_SEED={seed}", file=sys.stderr, flush=True)
    kept = uvloop.run(main(random.Random(seed)))
    gc.collect()
    assert kept is None or all(call.done() for call, _ in kept[1]), "a call that is not over"
    del kept
    assert callbacks[0] - callbacks[1] == 0 or gc.collect() >= 0
    seed += 1
mute.close()
"""


def test_random_lives_end() -> None:
    outcome = run_program(f"SECONDS, SEED = {SECONDS}, {SEED}\n{_FUZZ}", limit=SECONDS + 120)
    lines = outcome.err.splitlines()
    rest = [line for line in lines if not line.startswith("UVGRPC_FUZZ_SEED=")]
    assert (outcome.returncode, rest) == (0, []), "\n".join([*rest, *lines[-1:]])
    assert len(lines) >= min(2, SECONDS), "no round was over"
