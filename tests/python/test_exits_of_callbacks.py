# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Exits and errors that user code raises inside of uvgrpc's deliveries end what they should."""

from __future__ import annotations

import json
import signal

import pytest
from support import Outcome, run_program

pytestmark = pytest.mark.uvgrpc_only

EXITS = ("SystemExit(7)", "KeyboardInterrupt()")
FAULTS = ("asyncio.CancelledError()", "GeneratorExit()", "ValueError('mine')")

# A service of all arities; `reports` gets what the loop's exception handler is told.
_PRELUDE = """
import faulthandler, logging
from functools import partial
logging.disable()
faulthandler.dump_traceback_later(40, exit=True)
reports, later = [], []
ARITIES = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")

async def stream(requests, context):
    if hasattr(requests, "__aiter__"):
        async for request in requests:
            yield request
    else:
        yield requests
        yield requests

async def join(requests, context):
    return b"".join([request async for request in requests])

SERVICE = service(
    unary_unary=echo,
    unary_stream=grpc.unary_stream_rpc_method_handler(stream),
    stream_unary=grpc.stream_unary_rpc_method_handler(join),
    stream_stream=grpc.stream_stream_rpc_method_handler(stream),
)

def start(channel, arity, **codecs):
    method = getattr(channel, arity)("/test.Service/" + arity, **codecs)
    return method(iter([b"1", b"2"]) if arity.startswith("stream") else b"1")

async def outcome(call):
    if hasattr(call, "__aiter__"):
        return [message async for message in call]
    return await call

def bomb(*_):
    raise ERROR

async def prepared(body):
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reports.append(context))
    async with serving(SERVICE) as running, aio.insecure_channel(running.target) as channel:
        await channel.unary_unary("/test.Service/unary_unary")(b"x")
        async with asyncio.timeout(20):
            return await body(channel)

def ended(body):
    # How the program ends: as the JSON of what came out of uvloop.run().
    try:
        result = uvloop.run(prepared(body))
    except BaseException as error:
        return [type(error).__name__, getattr(error, "code", None)]
    return ["returned", result]
"""


def program(body: str, error: str) -> Outcome:
    return run_program(f"{_PRELUDE}\nERROR = {error}\n{body}", environ={"PYTHONMALLOC": "debug"})


def exit_of(error: str) -> list[object]:
    return ["SystemExit", 7] if error.startswith("SystemExit") else ["KeyboardInterrupt", None]


# ---- exits end the loop


@pytest.mark.parametrize("arity", ["unary_unary", "stream_stream"])
@pytest.mark.parametrize("error", EXITS)
def test_an_exit_in_a_done_callback_ends_the_loop_and_the_others_still_run(error: str, arity: str) -> None:
    source = f"""
async def body(channel):
    call = start(channel, "{arity}")
    call.add_done_callback(bomb)
    call.add_done_callback(later.append)
    other = start(channel, "{arity}")
    other.add_done_callback(later.append)
    try:
        await asyncio.gather(outcome(call), outcome(other))
        await asyncio.sleep(5)
    finally:
        # As after an exit from a callback of uvloop's: main() is cancelled and runs on.
        await asyncio.sleep(0.05)

print(json.dumps([ended(body), len(later)]))
"""
    assert program(source, error).result == [exit_of(error), 2]


@pytest.mark.parametrize("error", EXITS)
@pytest.mark.parametrize("codec", ["request_serializer", "response_deserializer"])
def test_an_exit_in_a_codec_ends_the_program_and_the_call(codec: str, error: str) -> None:
    source = f"""
calls = []

async def body(channel, arity):
    call = start(channel, arity, {codec}=bomb)
    calls.append(call)
    await outcome(call)

ends = [ended(partial(body, arity=arity)) for arity in ARITIES]
print(json.dumps([ends, all(call.done() for call in calls)]))
"""
    assert program(source, error).result == [[exit_of(error)] * 4, True]


@pytest.mark.parametrize("error", EXITS)
def test_an_exit_in_a_metadata_plugin(error: str) -> None:
    """It runs on a thread: its exit is its own, and the call fails."""
    source = """
class Plugin(grpc.AuthMetadataPlugin):
    def __call__(self, context, callback):
        bomb()

async def body(channel):
    credentials = grpc.metadata_call_credentials(Plugin())
    local = grpc.local_channel_credentials()
    server = aio.server(handlers=[SERVICE])
    port = server.add_secure_port("127.0.0.1:0", grpc.local_server_credentials())
    await server.start()
    async with aio.secure_channel(f"127.0.0.1:{port}", local) as secure:
        call = secure.unary_unary("/test.Service/unary_unary")(b"x", credentials=credentials)
        code = await call.code()
    await server.stop(None)
    return code.name

threading.excepthook = lambda _: None
print(json.dumps(ended(body)))
"""
    assert program(source, error).result in (["returned", "UNAVAILABLE"], exit_of(error))


@pytest.mark.parametrize("error", EXITS)
def test_an_exit_in_the_exception_handler(error: str) -> None:
    source = """
async def body(channel):
    asyncio.get_running_loop().set_exception_handler(bomb)
    call = start(channel, "unary_unary")
    call.add_done_callback(lambda _: 1 / 0)
    call.add_done_callback(later.append)
    await call
    await asyncio.sleep(5)

print(json.dumps(ended(body)))
"""
    assert program(source, error).result == exit_of(error)


# ---- other errors end nothing but what they are in


@pytest.mark.parametrize("error", FAULTS)
def test_an_error_in_a_done_callback_is_reported_and_the_others_still_run(error: str) -> None:
    source = """
async def body(channel):
    call = start(channel, "unary_unary")
    call.add_done_callback(bomb)
    call.add_done_callback(later.append)
    await call
    await asyncio.sleep(0.05)
    return [len(later), await start(channel, "unary_unary") == b"1"]

print(json.dumps(ended(body)))
"""
    assert program(source, error).result == ["returned", [1, True]]


@pytest.mark.parametrize("error", FAULTS)
@pytest.mark.parametrize("codec", ["request_serializer", "response_deserializer"])
def test_an_error_in_a_codec_ends_the_call(codec: str, error: str) -> None:
    source = f"""
async def body(channel, arity):
    call = None
    try:
        call = start(channel, arity, {codec}=bomb)
        async with asyncio.timeout(5):
            await outcome(call)
    except BaseException as problem:
        seen = type(problem).__name__
    else:
        seen = None
    if call is not None:
        async with asyncio.timeout(5):
            await call.code()
        assert call.done()
    assert await start(channel, "unary_unary") == b"1"
    return seen

print(json.dumps([ended(partial(body, arity=arity)) for arity in ARITIES]))
"""
    for how, seen in program(source, error).result:
        assert how == "returned"
        assert seen not in (None, "TimeoutError")


# ---- signals


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("kind", ["exit", "raise", "default", "loop"])
def test_a_signal_at_any_time_under_load_ends_the_program(name: str, kind: str) -> None:
    source = f"""
import random
number = signal.{name}
if {kind!r} == "exit":
    signal.signal(number, lambda *_: sys.exit(7))
elif {kind!r} == "raise":
    def handle(*_):
        raise KeyboardInterrupt
    signal.signal(number, handle)
elif number == signal.SIGTERM and {kind!r} == "default":
    signal.signal(number, signal.default_int_handler)

async def body(channel):
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    if {kind!r} == "loop":
        loop.add_signal_handler(number, stop.set)
    def callback(call):
        later.append(call.done())
    async def load():
        while not stop.is_set():
            calls = [start(channel, arity) for arity in
                     ("unary_unary", "unary_stream", "stream_unary", "stream_stream")]
            for call in calls:
                call.add_done_callback(callback)
            await asyncio.gather(*map(outcome, calls))
    loaded.set()
    await asyncio.gather(*(load() for _ in range(5)))
    return "stopped"

def press(over):
    # Again if nothing came of it: Python loses what a weak reference's callback raises.
    loaded.wait()
    time.sleep(random.random() * 0.05)
    while not over.is_set():
        os.kill(os.getpid(), number)
        over.wait(1)

seen = set()
for _ in range(10):
    loaded, over = threading.Event(), threading.Event()
    presser = threading.Thread(target=press, args=(over,))
    presser.start()
    seen.add(ended(body)[0])
    over.set()
    presser.join()
print(json.dumps(sorted(seen)))
"""
    expected = {"exit": ["SystemExit"], "loop": ["returned"]}.get(kind, ["KeyboardInterrupt"])
    outcome = program(source, "None")
    # An exception at any time leaves coroutines that were never awaited, and tasks that failed.
    assert outcome.returncode == 0, outcome.err
    assert json.loads(outcome.out) == expected
    assert kind != "loop" or outcome.err == ""


def test_sigterm_with_no_handler_kills() -> None:
    outcome = program(
        """
async def body(channel):
    call = start(channel, "unary_unary")
    call.add_done_callback(lambda _: os.kill(os.getpid(), signal.SIGTERM))
    await call
    await asyncio.sleep(5)

ended(body)
""",
        "None",
    )
    assert outcome.returncode == -signal.SIGTERM
