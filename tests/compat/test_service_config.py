# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What service configs ask for: retries, time-outs, load balancing, health checks."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from rig import Wire, arities, before_each, echo_of, failure_of, looped, result_of, us, uu, wired
from support import aio, in_time, until

ANY = [{"service": "test.Service"}]


def config(**content: Any) -> tuple[tuple[str, Any], ...]:
    return (("grpc.service_config", json.dumps(content)),)


def retrying(attempts: int, **policy: Any) -> tuple[tuple[str, Any], ...]:
    return config(
        methodConfig=[
            {
                "name": ANY,
                "retryPolicy": {
                    "maxAttempts": attempts,
                    "initialBackoff": "0.01s",
                    "maxBackoff": "0.02s",
                    "backoffMultiplier": 1,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                    **policy,
                },
            }
        ]
    )


@arities
@looped
async def test_retries_happen_as_often_as_the_policy_says(arity: str) -> None:
    attempts: list[Any] = []

    async def fail_twice(context: Any) -> None:
        attempts.append(dict(context.invocation_metadata()).get("grpc-previous-rpc-attempts"))
        if len(attempts) < 3:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "again")

    async with wired(before_each(arity, fail_twice), options=retrying(4)) as wire:
        assert await result_of(wire()) == b"request"
    assert attempts == [None, "1", "2"]


@looped
async def test_retries_end_and_the_last_failure_is_told() -> None:
    attempts: list[int] = []

    async def fail(context: Any) -> None:
        attempts.append(1)
        await context.abort(grpc.StatusCode.UNAVAILABLE, f"failure {len(attempts)}")

    async with wired(before_each("unary_unary", fail), options=retrying(3)) as wire:
        assert (await failure_of(wire())).details() == "failure 3"
    assert len(attempts) == 3


@looped
async def test_other_codes_are_not_retried() -> None:
    attempts: list[int] = []

    async def fail(context: Any) -> None:
        attempts.append(1)
        await context.abort(grpc.StatusCode.NOT_FOUND)

    async with wired(before_each("unary_unary", fail), options=retrying(3)) as wire:
        assert (await failure_of(wire())).code() is grpc.StatusCode.NOT_FOUND
    assert len(attempts) == 1


@looped
async def test_retries_can_be_switched_off() -> None:
    attempts: list[int] = []

    async def fail(context: Any) -> None:
        attempts.append(1)
        await context.abort(grpc.StatusCode.UNAVAILABLE)

    options = (*retrying(3), ("grpc.enable_retries", 0))
    async with wired(before_each("unary_unary", fail), options=options) as wire:
        await failure_of(wire())
    assert len(attempts) == 1


@looped
async def test_a_call_can_be_cancelled_between_attempts() -> None:
    attempts: list[int] = []

    async def fail(context: Any) -> None:
        attempts.append(1)
        await context.abort(grpc.StatusCode.UNAVAILABLE)

    options = retrying(5, initialBackoff="20s", maxBackoff="20s")
    async with wired(before_each("unary_unary", fail), options=options) as wire:
        call = wire()
        await until(lambda: attempts)
        await asyncio.sleep(0.02)
        assert call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert len(attempts) == 1


@looped
async def test_a_timeout_of_the_service_config_applies() -> None:
    async def hang(_context: Any) -> None:
        await asyncio.Event().wait()

    options = config(methodConfig=[{"name": ANY, "timeout": "0.1s"}])
    async with wired(before_each("unary_unary", hang), options=options) as wire:
        started = time.monotonic()
        assert (await failure_of(wire())).code() is grpc.StatusCode.DEADLINE_EXCEEDED
        in_time(started, 3)


@looped
async def test_wait_for_ready_of_the_service_config_applies() -> None:
    from support import unused_port

    options = config(methodConfig=[{"name": ANY, "waitForReady": True}])
    async with aio.insecure_channel(f"127.0.0.1:{unused_port()}", options=options) as channel:
        method = channel.unary_unary("/test.Service/Method")
        error = await failure_of(method(b"", timeout=0.2))
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        # A call may decide otherwise.
        error = await failure_of(method(b"", timeout=3, wait_for_ready=False))
        assert error.code() is grpc.StatusCode.UNAVAILABLE


@contextlib.asynccontextmanager
async def _three_servers(*health: bool) -> AsyncIterator[tuple[str, list[str], list[asyncio.Event]]]:
    """Servers that tell who they are: their target, their names, what makes them healthy."""
    healthy = [asyncio.Event() for _ in range(3)]
    async with contextlib.AsyncExitStack() as stack:
        wires: list[Wire] = []
        for number in range(3):

            async def name(request: bytes, context: Any, number: int = number) -> bytes:
                return str(number).encode()

            async def watch(request: bytes, context: Any, number: int = number) -> AsyncIterator[bytes]:
                # HealthCheckResponse: status = NOT_SERVING, then SERVING.
                if not healthy[number].is_set():
                    yield b"\x08\x02"
                await healthy[number].wait()
                yield b"\x08\x01"
                await asyncio.Event().wait()

            wire = await stack.enter_async_context(wired(uu(name)))
            wire.server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Watch": us(watch)}),)
            )
            wires.append(wire)
        target = "ipv4:" + ",".join(wire.target for wire in wires)
        yield target, ["0", "1", "2"], healthy


async def _answers(target: str, options: Any, count: int = 12) -> list[str]:
    async with aio.insecure_channel(target, options=options) as channel:
        await channel.channel_ready()
        method = channel.unary_unary("/test.Service/Method")
        # Until all connections are there.
        await asyncio.sleep(0.1)
        return [(await method(b"", wait_for_ready=True)).decode() for _ in range(count)]


@looped
async def test_pick_first_stays_with_one_server() -> None:
    async with _three_servers() as (target, _, _):
        assert len(set(await _answers(target, None))) == 1


@looped
async def test_round_robin_takes_turns() -> None:
    async with _three_servers() as (target, names, _):
        answers = await _answers(target, config(loadBalancingConfig=[{"round_robin": {}}]))
        assert sorted(answers) == sorted(names * 4)


@looped
async def test_round_robin_by_the_older_option() -> None:
    async with _three_servers() as (target, names, _):
        answers = await _answers(target, (("grpc.lb_policy_name", "round_robin"),))
        assert set(answers) == set(names)


@looped
async def test_servers_that_are_not_healthy_get_no_calls() -> None:
    options = config(
        loadBalancingConfig=[{"round_robin": {}}], healthCheckConfig={"serviceName": "test.Service"}
    )
    async with _three_servers() as (target, _, healthy):
        healthy[1].set()
        async with aio.insecure_channel(target, options=options) as channel:
            method = channel.unary_unary("/test.Service/Method")
            await channel.channel_ready()
            assert {await method(b"") for _ in range(9)} == {b"1"}
            healthy[2].set()
            seen: set[bytes] = set()
            while seen != {b"1", b"2"}:
                seen.add(await method(b""))
            await asyncio.sleep(0.02)


@pytest.mark.writes_stderr
@looped
async def test_a_service_config_that_is_no_json_fails_calls_or_is_ignored_as_by_core() -> None:
    options = (("grpc.service_config", "{"),)
    async with wired(echo_of("unary_unary"), options=options) as wire:
        assert (await failure_of(wire(timeout=3))).code() is not grpc.StatusCode.DEADLINE_EXCEEDED
