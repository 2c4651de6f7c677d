# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Calls that die while something happens to them: in threads, in finalizers, in weakref callbacks."""

from __future__ import annotations

import pytest
from support import run_program

pytestmark = pytest.mark.uvgrpc_only

# A service of all arities, and threads that take turns as often as they can.
_PRELUDE = """
import faulthandler, queue, weakref
faulthandler.enable()
sys.setswitchinterval(1e-6)

async def hang(request, context):
    await asyncio.sleep(3600)

async def chat(requests, context):
    async for request in requests:
        yield request

SERVICE = service(
    Echo=echo, Hang=hang, Chat=grpc.stream_stream_rpc_method_handler(chat),
)

def caller(channel):
    return (
        lambda: channel.unary_unary("/test.Service/Echo")(b"x"),
        lambda: channel.unary_unary("/test.Service/Hang")(b"x"),
        lambda: channel.stream_stream("/test.Service/Chat")(iter([b"x"])),
        lambda: channel.stream_stream("/test.Service/Chat")(),
    )

async def settled():
    for _ in range(2000):
        gc.collect()
        if uvgrpc.loop_stats().residents <= floor:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"{uvgrpc.loop_stats()}")

async def with_channel(body):
    global floor
    async with serving(SERVICE) as running, aio.insecure_channel(running.target) as channel:
        await channel.unary_unary("/test.Service/Echo")(b"x")
        floor = uvgrpc.loop_stats().residents
        await body(channel)
        await settled()
        assert await channel.unary_unary("/test.Service/Echo")(b"x") == b"x"
"""


def check(body: str, **variables: str) -> None:
    """Runs `async def body(channel)` with Python's debugging allocator; it prints nothing."""
    source = _PRELUDE + body + "\nuvloop.run(with_channel(body))\nprint('null')\n"
    assert run_program(source, environ={"PYTHONMALLOC": "debug", **variables}).result is None


def test_a_weakref_callback_lets_other_threads_run_while_the_call_completes() -> None:
    check(
        """
doomed = queue.SimpleQueue()

def drop():
    while (call := doomed.get()) is not None:
        del call

async def body(channel):
    threads = [threading.Thread(target=drop) for _ in range(3)]
    for thread in threads:
        thread.start()
    kept = []
    for _ in range(150):
        for call in caller(channel):
            call = call()
            kept.append(weakref.ref(call, lambda _: time.sleep(0.001)))
            doomed.put(call)
            del call
        await asyncio.sleep(0)
    for _ in threads:
        doomed.put(None)
    await asyncio.to_thread(lambda: [thread.join() for thread in threads])
"""
    )


def test_attributes_with_finalizers_let_other_threads_run_while_the_call_completes() -> None:
    check(
        """
class Slow:
    def __del__(self):
        time.sleep(0.001)

doomed = queue.SimpleQueue()

def drop():
    while (call := doomed.get()) is not None:
        del call

async def body(channel):
    threads = [threading.Thread(target=drop) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(150):
        for call in caller(channel):
            call = call()
            call.attribute = Slow()
            call.add_done_callback(lambda _, slow=Slow(): None)
            doomed.put(call)
            del call
        await asyncio.sleep(0)
    for _ in threads:
        doomed.put(None)
    await asyncio.to_thread(lambda: [thread.join() for thread in threads])
"""
    )


def test_the_channel_is_closed_in_a_weakref_callback_of_its_call() -> None:
    """What it then finds of its calls must not be the dying one."""
    check(
        """
async def body(channel):
    target = channel._target
    for number in range(4):
        mine = aio.insecure_channel(target)
        assert await mine.unary_unary("/test.Service/Echo")(b"x") == b"x"
        call = caller(mine)[number]()
        await asyncio.sleep(0)

        def close(_, mine=mine):
            closing = mine.close()
            try:
                closing.send(None)
            except StopIteration:
                pass

        watch = weakref.ref(call, close)
        del call
        await asyncio.sleep(0)
        del close, mine
        gc.collect()
        await asyncio.sleep(0.01)
"""
    )


def test_the_call_is_cancelled_and_asked_in_its_own_finalizers() -> None:
    check(
        """
class Asks:
    def __init__(self, channel):
        self.channel = channel
    def __del__(self):
        [repr(call) for call in self.channel._core.active_calls()]
        self.channel.get_state()
        self.channel.unary_unary("/test.Service/Echo")(b"x")

async def body(channel):
    for _ in range(50):
        for call in caller(channel):
            call = call()
            call.attribute = Asks(channel)
            watch = weakref.ref(call, lambda _: repr(channel._core.active_calls()))
            await asyncio.sleep(0)
            del call
    await asyncio.sleep(0.05)
"""
    )


def test_calls_in_cycles_are_collected_in_any_thread() -> None:
    check(
        """
async def body(channel):
    stop = threading.Event()

    def collect():
        while not stop.is_set():
            gc.collect()

    thread = threading.Thread(target=collect)
    thread.start()
    for _ in range(100):
        for call in caller(channel):
            call = call()
            call.me = call
            call.add_done_callback(lambda _, call=call: None)
            del call
        await asyncio.sleep(0)
    stop.set()
    await asyncio.to_thread(thread.join)
"""
    )


def test_a_call_is_not_sent_without_its_metadata() -> None:
    """Making the metadata may run Python: the garbage collector, and what it frees."""
    check(
        """
async def keep(request, context):
    seen.append(dict(context.invocation_metadata()).get("key"))
    return b""

seen = []

class Metadata:
    def __init__(self, channel):
        self.channel = channel
    def __iter__(self):
        yield ("key", "value")
        # Dropped by a collection here, say.
        call = self.channel.stream_stream("/test.Service/Chat")()
        call.me = call
        del call
        gc.collect()
        self.channel.unary_unary("/test.Service/Echo")(b"x")
        yield ("other", "value")

async def body(channel):
    async with serving(service(Keep=keep)) as other, aio.insecure_channel(other.target) as mine:
        method = mine.unary_unary("/test.Service/Keep")
        await method(b"", metadata=(("key", "value"),))
        for _ in range(5):
            await method(b"", metadata=Metadata(channel))
        assert seen == ["value"] * 6, seen
"""
    )


@pytest.mark.parametrize(
    "serializer", ["return request", "raise ValueError", "time.sleep(0.001)\n    return request"]
)
def test_a_serializer_may_do_anything(serializer: str) -> None:
    check(
        f"""
logging = __import__("logging")
logging.disable()

def serializer(request):
    call = CHANNEL.stream_stream("/test.Service/Chat")()
    call.me = call
    del call
    gc.collect()
    CHANNEL.unary_unary("/test.Service/Echo")(b"x")
    {serializer}

async def body(channel):
    global CHANNEL
    CHANNEL = channel
    for _ in range(5):
        call = channel.unary_unary("/test.Service/Echo", request_serializer=serializer)(b"x")
        stream = channel.stream_stream("/test.Service/Chat", request_serializer=serializer)()
        try:
            await stream.write(b"x")
            await stream.done_writing()
            assert [message async for message in stream] == [b"x"]
            assert await call == b"x"
        except grpc.aio.AioRpcError as error:
            assert error.code() is grpc.StatusCode.INTERNAL
        del call, stream
"""
    )
