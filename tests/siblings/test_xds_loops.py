# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""xDS targets on several loops: each hears from the control plane by itself."""

from __future__ import annotations

from collections.abc import Callable

from support import Outcome

Program = Callable[[str], Outcome]

_SETUP = """
from control_plane import NAME, ControlPlane
from envoy.service.status.v3 import csds_pb2

METHOD = "/test.Service/Method"

class Loop:
    "A loop in a thread."

    def __init__(self):
        self.loop = uvloop.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

async def open_server(name):
    async def say(request, context):
        return name.encode()
    server = aio.server(handlers=[service(Method=say)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return server, port

async def open_channel():
    return aio.insecure_channel(f"xds:///{NAME}")

async def call(channel):
    answer = await channel.unary_unary(METHOD)(b"", wait_for_ready=True, timeout=20)
    return answer.decode()

async def call_until(channel, expected):
    async with asyncio.timeout(15):
        while await call(channel) != expected:
            await asyncio.sleep(0.01)

backends, first, second = Loop(), Loop(), Loop()
old, old_port = backends.run(open_server("old"))
new, new_port = backends.run(open_server("new"))
"""

_END = """
backends.run(old.stop(None))
backends.run(new.stop(None))
second.close()
backends.close()
print(json.dumps(seen))
"""

_CLOSED = """
with ControlPlane(old_port) as plane:
    channels = [loop.run(open_channel()) for loop in (first, second)]
    seen = [loop.run(call(channel)) for loop, channel in zip((first, second), channels)]
    seen.append(plane.opened)
    first.close()
    plane.move(new_port)
    second.run(call_until(channels[1], "new"))
    seen.append(plane.opened)
    second.run(channels[1].close())
"""

_BLOCKED = """
with ControlPlane(old_port) as plane:
    channels = [loop.run(open_channel()) for loop in (first, second)]
    seen = [loop.run(call(channel)) for loop, channel in zip((first, second), channels)]
    blocked, go_on = threading.Event(), threading.Event()
    first.loop.call_soon_threadsafe(lambda: [blocked.set(), go_on.wait()])
    blocked.wait()
    plane.move(new_port)
    second.run(call_until(channels[1], "new"))
    go_on.set()
    first.run(call_until(channels[0], "new"))
    for loop, channel in zip((first, second), channels):
        loop.run(channel.close())
    first.close()
"""


def test_closing_one_loop_leaves_the_xds_channels_of_another_alone(program: Program) -> None:
    # The second loop's stream was not disturbed.
    assert program(_SETUP + _CLOSED + _END).result == ["old", "old", 2, 2]


def test_a_busy_loop_does_not_hold_up_the_xds_channels_of_another(program: Program) -> None:
    assert program(_SETUP + _BLOCKED + _END).result == ["old", "old"]


_SAME_LOOP = """
with ControlPlane(old_port) as plane:
    channels = [second.run(open_channel()) for _ in range(2)]
    seen = [second.run(call(channel)) for channel in channels]
    seen.append(plane.opened)
    for channel in channels:
        second.run(channel.close())
    first.close()
"""


def test_the_channels_of_a_loop_share_a_client(program: Program) -> None:
    assert program(_SETUP + _SAME_LOOP + _END).result == ["old", "old", 1]


_SCOPES = """
from uvgrpc import _core

with ControlPlane(old_port) as plane:
    channels = [loop.run(open_channel()) for loop in (first, second)]
    seen = [loop.run(call(channel)) for loop, channel in zip((first, second), channels)]
    answer = csds_pb2.ClientStatusResponse.FromString(_core.dump_xds_configs())
    seen.append(sorted(config.client_scope for config in answer.config))
    for loop, channel in zip((first, second), channels):
        loop.run(channel.close())
    first.close()
"""


def test_each_client_goes_by_the_name_of_its_target(program: Program) -> None:
    assert program(_SETUP + _SCOPES + _END).result == ["old", "old", ["xds:/service", "xds:/service"]]
