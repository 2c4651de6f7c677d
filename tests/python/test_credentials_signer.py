# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""TLS clients whose private key somebody else keeps.

grpcio starts a thread for each such channel that nothing ends, so these tests are not for it.
"""

from __future__ import annotations

import asyncio
import gc
import json
import threading
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import grpc
import grpc.experimental
import pytest
import tls
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from grpc.experimental import PrivateKeySignatureAlgorithm
from support import aio, error_of, run, service, until

pytestmark = pytest.mark.uvgrpc_only
METHOD = "/test.Service/Auth"
Signer = Callable[[bytes, Any, Callable[[Any], None]], Any]


class Keeper:
    """Keeps the key of an identity, and signs with it."""

    def __init__(self) -> None:
        identity = tls.authority().issue("client.example")
        self.chain = identity.chain
        self._key: Any = serialization.load_pem_private_key(identity.key, None)
        self.algorithms: list[Any] = []
        self.threads: list[Any] = []

    def sign(self, data: bytes, algorithm: Any, _on_complete: Any = None) -> bytes:
        self.algorithms.append(algorithm)
        self.threads.append(threading.current_thread())
        signature: bytes = self._key.sign(data, ec.ECDSA(hashes.SHA256()))
        return signature


def credentials(chain: bytes, signer: Signer) -> grpc.ChannelCredentials:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", grpc.experimental.ExperimentalApiWarning)
        return grpc.experimental.ssl_channel_credentials_with_custom_signer(
            private_key_sign_fn=signer, root_certificates=tls.authority().roots, certificate_chain=chain
        )


def _ask(chain: bytes, signer: Signer, timeout: float = 20) -> Any:
    """What a server that wants a certificate knows of the client, or the error."""

    async def main() -> Any:
        async with (
            tls.serving_tls(tls.server_tls(mutual=True), service(Auth=tls.auth)) as running,
            aio.secure_channel(running.target, credentials(chain, signer)) as channel,
        ):
            try:
                return json.loads(await channel.unary_unary(METHOD)(b"", timeout=timeout))
            except grpc.aio.AioRpcError as error:
                return error.with_traceback(None)

    return run(main())


def test_a_signature_at_once() -> None:
    keeper = Keeper()
    assert _ask(keeper.chain, keeper.sign)["identities"] == ["client.example"]
    assert keeper.algorithms == [PrivateKeySignatureAlgorithm.ECDSA_SECP256R1_SHA256]
    assert isinstance(keeper.algorithms[0], PrivateKeySignatureAlgorithm)
    # It may block, so it is not on the loop.
    assert keeper.threads != [threading.main_thread()]


def test_a_signature_later() -> None:
    keeper = Keeper()
    cancelled: list[bool] = []

    def sign(data: bytes, algorithm: Any, on_complete: Callable[[Any], None]) -> Callable[[], None]:
        threading.Timer(0.05, lambda: on_complete(keeper.sign(data, algorithm))).start()
        return lambda: cancelled.append(True)

    assert _ask(keeper.chain, sign)["identities"] == ["client.example"]
    assert cancelled == []


@pytest.mark.parametrize("kind", ["raises", "reports", "wrong type", "wrong signature", "forgets"])
def test_a_signer_that_fails(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    def sign(_data: bytes, _algorithm: Any, on_complete: Callable[[Any], None]) -> Any:
        if kind == "raises":
            raise ValueError("no signature today")
        if kind == "reports":
            on_complete(ValueError("no signature today"))
        return {"wrong type": 5, "wrong signature": b"not one"}.get(kind, lambda: None)

    error = _ask(Keeper().chain, sign)
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert len(caplog.records) == (kind == "raises")
    caplog.clear()


@pytest.mark.parametrize("kind", ["closes", "is left open"])
def test_the_channel_ends_meanwhile(kind: str) -> None:
    """The signer is told, and what it says later does no harm."""
    keeper = Keeper()
    asked: list[Callable[[Any], None]] = []
    cancelled = threading.Event()

    def sign(_data: bytes, _algorithm: Any, on_complete: Callable[[Any], None]) -> Callable[[], None]:
        asked.append(on_complete)
        return cancelled.set

    async def main() -> None:
        server = aio.server()
        port = server.add_secure_port("127.0.0.1:0", tls.server_tls(mutual=True))
        await server.start()
        channel = aio.secure_channel(f"127.0.0.1:{port}", credentials(keeper.chain, sign))
        channel.get_state(try_to_connect=True)
        await until(lambda: asked)
        # Until the function that cancels has been returned, there is nobody to tell.
        await asyncio.sleep(0.05)
        if kind == "closes":
            await channel.close()
            await until(cancelled.is_set)
            await server.stop(None)
        else:
            kept.extend((channel, server))

    kept: list[Any] = []
    run(main(), leaves_open=True)
    kept.clear()
    asked.pop()(b"too late")


def test_the_signer_is_let_go() -> None:
    keeper = Keeper()
    gone = weakref.ref(keeper)
    assert _ask(keeper.chain, keeper.sign)["identities"] == ["client.example"]
    del keeper
    gc.collect()
    assert gone() is None


def test_many_handshakes() -> None:
    keeper = Keeper()

    async def main() -> None:
        async with tls.serving_tls(tls.server_tls(mutual=True), service(Auth=tls.auth)) as running:
            made = credentials(keeper.chain, keeper.sign)
            channels = [aio.secure_channel(running.target, made) for _ in range(20)]
            calls = [channel.unary_unary(METHOD)(b"") for channel in channels]
            for response in await asyncio.gather(*calls):
                assert json.loads(response)["identities"] == ["client.example"]
            for channel in channels:
                await channel.close()

    run(main())
    assert len(keeper.algorithms) == 20


def test_a_wrong_key_is_refused() -> None:
    """The server checks the signature: another key's is not good enough."""
    keeper, other = Keeper(), Keeper()

    async def main() -> None:
        async with (
            tls.serving_tls(tls.server_tls(mutual=True), service(Auth=tls.auth)) as running,
            aio.secure_channel(running.target, credentials(keeper.chain, other.sign)) as channel,
        ):
            error = await error_of(channel.unary_unary(METHOD)(b""))
            assert error.code() is grpc.StatusCode.UNAVAILABLE

    run(main())
