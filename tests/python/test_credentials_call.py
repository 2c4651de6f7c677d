# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Credentials of single calls."""

from __future__ import annotations

import asyncio
import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import grpc.experimental
import pytest
import tls
from support import aio, error_of, run, service, serving

METHOD = "/test.Service/Method"


async def _tokens(_request: bytes, context: Any) -> bytes:
    """Answers with the values of the authorization and x-token headers."""
    sent = [value for key, value in context.invocation_metadata() if key in ("authorization", "x-token")]
    return ",".join(sorted(sent)).encode()


def token(text: str) -> grpc.CallCredentials:
    class Plugin(grpc.AuthMetadataPlugin):
        def __call__(self, context: Any, callback: Any) -> None:
            callback((("x-token", text),), None)

    return grpc.metadata_call_credentials(Plugin())


def test_each_call_has_its_own() -> None:
    async def main() -> None:
        async with (
            tls.serving_tls(tls.server_tls(), service(Method=_tokens)) as running,
            aio.secure_channel(running.target, tls.channel_tls()) as channel,
        ):
            method = channel.unary_unary(METHOD)
            tokens = {name: token(name) for name in "abc"}
            calls = [method(b"", credentials=tokens[name]) for name in "abcabc"]
            assert await asyncio.gather(*calls) == [b"a", b"b", b"c"] * 2
            assert await method(b"") == b""
            access = grpc.access_token_call_credentials("secret")
            assert await method(b"", credentials=access) == b"Bearer secret"

    run(main())


def test_those_of_the_channel_are_sent_too() -> None:
    credentials = grpc.composite_channel_credentials(tls.channel_tls(), token("channel"))

    async def main() -> None:
        async with (
            tls.serving_tls(tls.server_tls(), service(Method=_tokens)) as running,
            aio.secure_channel(running.target, credentials) as channel,
        ):
            assert await channel.unary_unary(METHOD)(b"", credentials=token("call")) == b"call,channel"

    run(main())


def test_not_on_an_insecure_channel() -> None:
    async def main() -> None:
        async with serving(service(Method=_tokens)) as running:
            async with aio.insecure_channel(running.target) as channel:
                with pytest.raises(aio.UsageError, match="only valid on secure channels"):
                    channel.unary_unary(METHOD)(b"", credentials=token("x"))
            # Where the program says that it is one, core sees to it.
            insecure = grpc.experimental.insecure_channel_credentials()
            async with aio.secure_channel(running.target, insecure) as channel:
                error = await error_of(channel.unary_unary(METHOD)(b"", credentials=token("x")))
                assert error.code() is grpc.StatusCode.UNAUTHENTICATED
                assert "sufficient security level" in error.details()

    run(main())


@pytest.mark.uvgrpc_only
def test_one_object_is_made_once_for_a_loop_and_not_kept() -> None:
    async def main() -> None:
        async with (
            tls.serving_tls(tls.server_tls(), service(Method=_tokens)) as running,
            aio.secure_channel(running.target, tls.channel_tls()) as channel,
        ):
            from uvgrpc._runtime.loop import core_loop

            made = core_loop(asyncio.get_running_loop()).call_credentials
            method = channel.unary_unary(METHOD)
            credentials = token("a")
            for _ in range(10):
                assert await method(b"", credentials=credentials) == b"a"
            assert len(made) == 1
            plugin = weakref.ref(credentials._credentials._metadata_plugin._metadata_plugin)
            del credentials
            assert len(made) == 0
            await asyncio.sleep(0.01)
            gc.collect()
            assert plugin() is None

    run(main())


def test_the_same_object_on_two_loops() -> None:
    credentials = token("a")

    async def main() -> None:
        async with (
            tls.serving_tls(tls.server_tls(), service(Method=_tokens)) as running,
            aio.secure_channel(running.target, tls.channel_tls()) as channel,
        ):
            assert await channel.unary_unary(METHOD)(b"", credentials=credentials) == b"a"

    run(main())
    run(main())


@pytest.mark.uvgrpc_only
def test_what_is_not_call_credentials() -> None:
    async def main() -> None:
        async with aio.secure_channel("127.0.0.1:1", tls.channel_tls()) as channel:
            method = channel.unary_unary(METHOD)
            for wrong in ("secret", grpc.CallCredentials(object())):
                with pytest.raises(TypeError, match="not call credentials"):
                    method(b"", credentials=wrong)

    run(main())


def test_streams_have_them_too() -> None:
    async def both(requests: Any, context: Any) -> Any:
        async for _ in requests:
            yield await _tokens(b"", context)

    handler = grpc.stream_stream_rpc_method_handler(both)

    async def main() -> None:
        async with (
            tls.serving_tls(tls.server_tls(), service(Method=handler)) as running,
            aio.secure_channel(running.target, tls.channel_tls()) as channel,
        ):
            call = channel.stream_stream(METHOD)(iter([b"", b""]), credentials=token("a"))
            assert [response async for response in call] == [b"a", b"a"]

    run(main())


def test_handlers_on_threads_know_the_client() -> None:
    def blocking(_request: bytes, context: Any) -> bytes:
        assert context.auth_context()["transport_security_type"] == [b"ssl"]
        identities: list[bytes] = context.peer_identities()
        assert context.peer_identity_key() == "x509_subject_alternative_name"
        return identities[0]

    async def main() -> None:
        identity = tls.authority().issue("client.example")
        handler = grpc.unary_unary_rpc_method_handler(blocking)
        with ThreadPoolExecutor(1) as pool:
            server = aio.server(pool)
            server.add_generic_rpc_handlers((service(Method=handler),))
            port = server.add_secure_port("127.0.0.1:0", tls.server_tls(mutual=True))
            await server.start()
            async with aio.secure_channel(f"127.0.0.1:{port}", tls.channel_tls(identity)) as channel:
                assert await channel.unary_unary(METHOD)(b"") == b"client.example"
            await server.stop(None)

    run(main())
