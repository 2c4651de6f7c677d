# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Channels: how they are made, what they connect to, and their states."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import grpc
import pytest
from rig import ARITIES, arities, echo_of, failure_of, looped, result_of, uu, wired
from support import aio, unused_port

State = grpc.ChannelConnectivity


# ---- making one


@looped
async def test_a_channel_is_made_with_positional_arguments() -> None:
    """Instrumentations put their interceptors at index 3."""
    async with wired(echo_of("unary_unary")) as wire:
        channel = aio.insecure_channel(wire.target, [("grpc.primary_user_agent", "x")], None, [])
        assert await channel.unary_unary("/test.Service/Method")(b"x") == b"x"
        await channel.close()


@looped
async def test_a_channel_is_an_instance_of_the_abstract_class() -> None:
    async with aio.insecure_channel("127.0.0.1:1") as channel:
        assert isinstance(channel, grpc.aio.Channel)
        for arity in ARITIES:
            kind = "".join(part.title() for part in arity.split("_"))
            callable_ = getattr(channel, arity)("/a/A")
            assert isinstance(callable_, getattr(aio, f"{kind}MultiCallable"))


@arities
@looped
async def test_calls_are_instances_of_their_abstract_classes(arity: str) -> None:
    async with wired(echo_of(arity)) as wire:
        call = wire()
        kind = "".join(part.title() for part in arity.split("_"))
        for base in (f"{kind}Call", "Call", "RpcContext"):
            assert isinstance(call, getattr(aio, base))
        others = {
            f"{''.join(p.title() for p in other.split('_'))}Call" for other in ARITIES if other != arity
        }
        assert not any(isinstance(call, getattr(aio, other)) for other in others)
        await result_of(call)


@arities
@looped
async def test_a_method_registered_by_generated_code_works_as_any_other(arity: str) -> None:
    async with wired(echo_of(arity)) as wire:
        method = getattr(wire.channel, arity)(
            "/test.Service/Method",
            request_serializer=str.encode,
            response_deserializer=bytes.decode,
            _registered_method=True,
        )
        call = method(iter(["text"]) if arity.startswith("stream") else "text")
        if arity.endswith("stream"):
            assert [message async for message in call] == ["text"]
        else:
            assert await call == "text"


@looped
async def test_codecs_of_a_method_may_be_positional() -> None:
    async with wired(echo_of("unary_unary")) as wire:
        method = wire.channel.unary_unary("/test.Service/Method", str.encode, bytes.decode)
        assert await method("text") == "text"


@looped
async def test_an_option_of_another_type_is_refused() -> None:
    with pytest.raises(TypeError):
        aio.insecure_channel("127.0.0.1:1", options=(("grpc.answer", object()),))


@looped
async def test_an_interceptor_of_no_kind_is_a_value_error() -> None:
    class Nothing(aio.ClientInterceptor):
        pass

    for interceptor in (Nothing(), object()):
        with pytest.raises(ValueError, match="must be UnaryUnaryClientInterceptor or"):
            aio.insecure_channel("127.0.0.1:1", interceptors=[interceptor])


@looped
async def test_call_credentials_on_an_insecure_channel_are_a_usage_error() -> None:
    credentials = grpc.access_token_call_credentials("token")
    for arity in ARITIES:
        async with wired(echo_of(arity)) as wire:
            with pytest.raises(aio.UsageError, match="secure"):
                wire(credentials=credentials)


# ---- states


@looped
async def test_the_states_of_a_channel_that_connects() -> None:
    async with wired(echo_of("unary_unary")) as wire:
        channel = wire.channel
        assert channel.get_state() is State.IDLE
        assert channel.get_state(try_to_connect=True) is State.IDLE
        await channel.wait_for_state_change(State.IDLE)
        assert channel.get_state() in (State.CONNECTING, State.READY)
        await channel.channel_ready()
        assert channel.get_state() is State.READY
        # Changed already: at once.
        await channel.wait_for_state_change(State.IDLE)
        await channel.channel_ready()


@looped
async def test_a_channel_that_cannot_connect_is_in_transient_failure() -> None:
    async with aio.insecure_channel(f"127.0.0.1:{unused_port()}") as channel:
        state = channel.get_state(try_to_connect=True)
        while state is not State.TRANSIENT_FAILURE:
            await channel.wait_for_state_change(state)
            state = channel.get_state(try_to_connect=True)


@looped
async def test_a_channel_whose_server_goes_away_becomes_idle() -> None:
    async with wired(echo_of("unary_unary")) as wire:
        await wire.channel.channel_ready()
        change = asyncio.create_task(wire.channel.wait_for_state_change(State.READY))
        await wire.server.stop(None)
        await change
        assert wire.channel.get_state() is not State.READY


@looped
async def test_a_wait_for_a_state_can_be_cancelled() -> None:
    async with wired(echo_of("unary_unary")) as wire:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(wire.channel.wait_for_state_change(State.IDLE), 0.05)
        assert await wire() == b"request"


@looped
async def test_channel_ready_waits_for_a_server_that_starts_later() -> None:
    port = unused_port()
    options = (("grpc.initial_reconnect_backoff_ms", 100), ("grpc.min_reconnect_backoff_ms", 100))
    async with aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        ready = asyncio.create_task(channel.channel_ready())
        await channel.wait_for_state_change(State.IDLE)
        server = aio.server()
        server.add_insecure_port(f"127.0.0.1:{port}")
        await server.start()
        await ready
        assert channel.get_state() is State.READY
        await server.stop(None)


# ---- targets


async def _peer(request: bytes, context: Any) -> bytes:
    return context.peer().encode()


@pytest.mark.parametrize(
    "target", ["127.0.0.1:{}", "ipv4:127.0.0.1:{}", "ipv4:127.0.0.1:{0},127.0.0.1:{0}"], ids=str
)
@looped
async def test_targets_that_are_addresses(target: str) -> None:
    async with wired(uu(_peer), target=target.format) as wire:
        assert (await wire()).decode().startswith("ipv4:127.0.0.1:")


@pytest.mark.pool_threads
@pytest.mark.parametrize("target", ["localhost:{}", "dns:localhost:{}", "dns:///localhost:{}"], ids=str)
@looped
async def test_targets_that_are_names(target: str) -> None:
    async with wired(uu(_peer), target=target.format) as wire:
        assert (await wire()).decode().startswith("ip")


@pytest.mark.parametrize("target", ["ipv6:[::1]:{}", "[::1]:{}"], ids=str)
@looped
async def test_targets_that_are_ipv6_addresses(target: str) -> None:
    """Whether or not the machine has IPv6."""
    async with wired(uu(_peer)) as wire:
        try:
            port = wire.server.add_insecure_port("[::1]:0")
        except RuntimeError:
            port = 0
        async with aio.insecure_channel(target.format(port or unused_port())) as channel:
            call = channel.unary_unary("/test.Service/Method")(b"")
            if not port:
                assert await call.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("form", ["unix:{}", "unix://{}", "unix-abstract:{}"])
@looped
async def test_targets_that_are_unix_sockets(form: str, tmp_path: Path) -> None:
    address = form.format(tmp_path / "socket")
    server = aio.server()
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("test.Service", {"Method": uu(_peer)}),)
    )
    assert server.add_insecure_port(address) > 0
    await server.start()
    async with aio.insecure_channel(address) as channel:
        assert (await channel.unary_unary("/test.Service/Method")(b"")).decode().startswith("unix")
    await server.stop(None)


@pytest.mark.writes_stderr
@pytest.mark.parametrize("target", ["", "nonsense://x", "127.0.0.1:port"], ids=repr)
@looped
async def test_targets_that_mean_nothing_fail_their_calls(target: str) -> None:
    async with aio.insecure_channel(target) as channel:
        error = await failure_of(channel.unary_unary("/a/A")(b"", timeout=3))
        # Without even a name core makes no channel at all, and the status says so.
        expected = grpc.StatusCode.UNAVAILABLE if target else grpc.StatusCode.UNKNOWN
        assert error.code() is expected


async def _seen_authority(**options: Any) -> str:
    """The :authority of a call, from the bytes of its HEADERS frame, which core sends literally."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        loop = asyncio.get_running_loop()
        port = listener.getsockname()[1]
        async with aio.insecure_channel(f"127.0.0.1:{port}", **options) as channel:
            call = channel.unary_unary("/a/A")(b"")
            peer, _ = await loop.sock_accept(listener)
            with peer:
                # Empty SETTINGS: now the client sends its request.
                await loop.sock_sendall(peer, bytes((0, 0, 0, 4, 0, 0, 0, 0, 0)))
                received = b""
                while b"application/grpc" not in received:
                    received += await loop.sock_recv(peer, 65536)
            call.cancel()
        return received.replace(str(port).encode(), b"PORT").decode("latin-1")


@looped
async def test_the_authority_is_the_target_unless_told_otherwise() -> None:
    assert "127.0.0.1:PORT" in await _seen_authority()
    seen = await _seen_authority(options=(("grpc.default_authority", "example.test"),))
    assert "example.test" in seen
    assert "127.0.0.1:PORT" not in seen


@looped
async def test_the_user_agent_begins_with_what_the_options_say() -> None:
    agents: list[str] = []

    async def agent(request: bytes, context: Any) -> bytes:
        agents.extend(value for key, value in context.invocation_metadata() if key == "user-agent")
        return b""

    options = (("grpc.primary_user_agent", "first/1"), ("grpc.secondary_user_agent", "last/2"))
    async with wired(uu(agent), options=options) as wire:
        await wire()
    (agent_seen,) = agents
    assert agent_seen.startswith("first/1 grpc-python-")
    assert agent_seen.endswith("last/2")


@arities
@looped
async def test_a_method_may_be_bytes(arity: str) -> None:
    async with wired(echo_of(arity)) as wire:
        method = getattr(wire.channel, arity)(b"/test.Service/Method")
        request = b"x" if arity.startswith("unary") else iter([b"x"])
        assert await result_of(method(request)) == b"x"


@looped
async def test_what_programs_read_of_a_channel_and_a_server_is_there() -> None:
    loop = asyncio.get_running_loop()
    async with wired(echo_of("unary_unary")) as wire:
        assert wire.channel._loop is loop
        assert wire.channel._channel is wire.channel._channel
        assert not wire.channel._channel.closed()
        assert wire.server._loop is loop
        assert wire.server._server is not None
    assert wire.channel._channel.closed()
