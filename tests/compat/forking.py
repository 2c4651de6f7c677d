# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Parents that fork, for the tests of it."""

from __future__ import annotations

from support import run_program

# A parent with a server, a channel, a call that waits and a stream that flows.
PARENT = """
import warnings

from rig import ss, us, uu, wired

# With threads CPython has warned of fork() since 3.12, and makes an error of it after the fork since 3.15.
warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)

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


def check_fork(child: str, code: int = 0, use: str = "") -> None:
    """Runs a parent that forks, and checks both sides.

    Args:
      child: the body of a function that the child runs.
      code: what the child exits with.
      use: what the parent does while the child lives.
    """
    body = "\n".join(f"    {line}" for line in child.strip().splitlines())
    meanwhile = "\n".join(f"    {line}" for line in use.strip().splitlines())
    outcome = run_program(
        f"""{PARENT}
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
