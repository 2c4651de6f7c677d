# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""fork() with channels, servers and calls open (H11): both sides work, in silence."""

from __future__ import annotations

import sys

import pytest
from forking import PARENT, check_fork
from support import run_program

pytestmark = [
    pytest.mark.uvgrpc_only,
    pytest.mark.skipif(sys.platform != "linux", reason="what fork() does elsewhere is not known"),
]


def test_a_child_that_exits_at_once_leaves_the_parent_alone() -> None:
    check_fork("return 7", code=7)


def test_a_child_that_drops_everything_leaves_the_parent_alone() -> None:
    check_fork(
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
    check_fork(
        """
native.shutdown()
assert waiting.done() and stream.done()
"""
    )


def test_a_channel_of_the_parent_connects_anew_in_the_child() -> None:
    check_fork(
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
    check_fork(
        """
async def main():
    async with asyncio.timeout(10):
        assert await method(b"x") == b"x"

uvloop.run(main())
""".replace("method(", "wire.method()(")
    )


def test_a_child_serves_and_calls_on_its_own() -> None:
    check_fork(
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
    check_fork(
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
    check_fork(
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
    check_fork(
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
    check_fork(
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
        f"""{PARENT}
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
        f"""{PARENT}
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
