# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""TLS sessions that are resumed."""

from __future__ import annotations

import gc
import json
import weakref
from typing import Any

import pytest
import tls
from grpc.experimental import session_cache
from support import aio, run, service

METHOD = "/test.Service/Auth"


async def _resumed(port: int, options: tuple[tuple[str, Any], ...]) -> bool:
    """Whether the server says that a new connection resumes a session."""
    # Sessions are kept by the server's name, of which an address has none.
    options += (("grpc.ssl_target_name_override", "localhost"),)
    async with aio.secure_channel(f"127.0.0.1:{port}", tls.channel_tls(), options) as channel:
        told = json.loads(await channel.unary_unary(METHOD)(b""))
        return told["properties"]["ssl_session_reused"] == ["true"]


def _resumptions(caches: list[Any]) -> list[bool]:
    """The same for several connections to one server, one after the other."""

    async def main() -> list[bool]:
        async with tls.serving_tls(tls.server_tls(), service(Auth=tls.auth)) as running:
            return [
                await _resumed(running.port, (("grpc.ssl_session_cache", cache),) if cache else ())
                for cache in caches
            ]

    result: list[bool] = run(main())
    return result


def test_a_cache_resumes_sessions() -> None:
    cache = session_cache.ssl_session_cache_lru(1)
    assert _resumptions([cache, cache, cache]) == [False, True, True]


def test_without_a_cache_no_session_is_resumed() -> None:
    assert _resumptions([None, None]) == [False, False]


def test_each_cache_is_its_own() -> None:
    one, two = (session_cache.ssl_session_cache_lru(1) for _ in range(2))
    assert _resumptions([one, two, one, two]) == [False, False, True, True]


def test_a_cache_outlives_loops_and_goes_with_its_object() -> None:
    cache = session_cache.ssl_session_cache_lru(1)
    # Another server each time, with other keys for tickets: nothing to resume, nothing breaks.
    assert _resumptions([cache, cache]) == [False, True]
    assert _resumptions([cache, cache]) == [False, True]
    inner = cache._cache
    gone = weakref.ref(inner)
    del cache, inner
    gc.collect()
    assert gone() is None


@pytest.mark.uvgrpc_only
def test_other_pointers_are_left_out_with_a_warning_that_names_them() -> None:
    class Pointer:
        def __int__(self) -> int:
            raise AssertionError("asked for its address")

    async def main() -> None:
        for name in ("grpc.ssl_session_cache", "grpc.some_pointer"):
            with pytest.warns(RuntimeWarning, match=rf"'{name}' is left out: a .*Pointer, ") as caught:
                channel = aio.secure_channel("127.0.0.1:1", tls.channel_tls(), ((name, Pointer()),))
            assert [one.filename for one in caught] == [__file__]
            await channel.close()

    run(main())


@pytest.mark.uvgrpc_only
def test_grpcios_tracer_is_left_out() -> None:
    async def main() -> None:
        server = aio.server(options=(("grpc.experimental.server_call_tracer_factory", object()),))
        await server.stop(None)

    run(main())
