# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How a process ends: in silence, whatever was left open."""

from __future__ import annotations

import signal

import pytest
from support import Outcome, run_program

pytestmark = pytest.mark.uvgrpc_only

# A server, a channel and a call that never ends, all left open.
_BUSY = """
async def hang(request, context):
    entered.set()
    await asyncio.Event().wait()

async def open_everything():
    global server, channel, call, entered
    entered = asyncio.Event()
    server = aio.server(handlers=[service(Echo=echo, Hang=hang)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channel = aio.insecure_channel(f"127.0.0.1:{port}")
    assert await channel.unary_unary("/test.Service/Echo")(b"x") == b"x"
    call = channel.unary_unary("/test.Service/Hang")(b"")
    await entered.wait()
"""


def silent(outcome: Outcome, returncode: int = 0) -> None:
    assert (outcome.returncode, outcome.err) == (returncode, "")


def test_a_program_may_leave_everything_open() -> None:
    silent(
        run_program(
            _BUSY
            + """
async def main():
    await open_everything()

uvloop.run(main())
assert call.done()
"""
        )
    )


def test_a_program_may_leave_everything_open_and_unreferenced() -> None:
    silent(
        run_program(
            """
async def main():
    server = aio.server(handlers=[service(Echo=echo)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channel = aio.insecure_channel(f"127.0.0.1:{port}")
    assert await channel.unary_unary("/test.Service/Echo")(b"x") == b"x"

uvloop.run(main())
"""
        )
    )


def test_an_exception_in_main_is_all_that_is_seen() -> None:
    outcome = run_program(
        _BUSY
        + """
async def main():
    await open_everything()
    raise ValueError("the only line")

uvloop.run(main())
"""
    )
    assert outcome.returncode == 1
    assert outcome.err.startswith("Traceback")
    assert outcome.err.endswith("ValueError: the only line\n")
    assert outcome.err.count("Traceback") == 1


@pytest.mark.parametrize("code", [0, 3])
def test_sys_exit_in_main(code: int) -> None:
    silent(
        run_program(
            _BUSY
            + f"""
async def main():
    await open_everything()
    sys.exit({code})

uvloop.run(main())
"""
        ),
        code,
    )


def test_ctrl_c_during_a_call() -> None:
    outcome = run_program(
        _BUSY
        + """
async def main():
    await open_everything()
    print("ready", flush=True)
    await call

uvloop.run(main())
""",
        interrupt=True,
        limit=30,
    )
    assert outcome.out == "ready\n"
    assert outcome.returncode in (-signal.SIGINT, 130)
    assert outcome.err.endswith("KeyboardInterrupt\n")
    assert "Error" not in outcome.err.replace("CancelledError", "")
    assert "never" not in outcome.err


def test_ctrl_c_that_is_caught() -> None:
    outcome = run_program(
        _BUSY
        + """
async def main():
    await open_everything()
    print("ready", flush=True)
    await call

try:
    uvloop.run(main())
except KeyboardInterrupt:
    pass
assert call.cancelled()
""",
        interrupt=True,
        limit=30,
    )
    silent(outcome)


def test_a_loop_that_is_never_closed() -> None:
    silent(
        run_program(
            _BUSY
            + """
import warnings
warnings.simplefilter("ignore", ResourceWarning)
loop = uvloop.new_event_loop()
loop.run_until_complete(open_everything())
for task in asyncio.all_tasks(loop):
    task._log_destroy_pending = False
"""
        )
    )


def test_a_loop_that_is_closed_by_hand() -> None:
    silent(
        run_program(
            _BUSY
            + """
loop = uvloop.new_event_loop()
loop.run_until_complete(open_everything())
for task in asyncio.all_tasks(loop):
    task._log_destroy_pending = False
loop.close()
assert loop.is_closed()
loop.close()
"""
        )
    )


def test_a_daemon_thread_with_a_loop_of_its_own() -> None:
    silent(
        run_program(
            _BUSY
            + """
ready = threading.Event()

async def work():
    await open_everything()
    ready.set()
    method = channel.unary_unary("/test.Service/Echo")
    while True:
        await method(b"x")

threading.Thread(target=lambda: uvloop.run(work()), daemon=True).start()
assert ready.wait(60)
time.sleep(0.05)
"""
        )
    )


def test_os_exit() -> None:
    silent(
        run_program(
            _BUSY
            + """
async def main():
    await open_everything()
    os._exit(5)

uvloop.run(main())
"""
        ),
        5,
    )


def test_objects_that_outlive_their_loop() -> None:
    silent(
        run_program(
            _BUSY
            + """
async def main():
    await open_everything()

uvloop.run(main())
assert call.done() and not call.cancel()
for name in ("server", "channel", "call", "entered"):
    del globals()[name]
    gc.collect()
"""
        )
    )
