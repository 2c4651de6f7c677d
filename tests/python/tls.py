# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Certificates, and servers and channels that use them, for tests."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

import grpc
import trustme
from support import Serving, aio, environment


class Identity(NamedTuple):
    """A private key and its certificate chain, PEM."""

    key: bytes
    chain: bytes


class Authority:
    """A certificate authority of its own."""

    def __init__(self) -> None:
        self._ca = trustme.CA()
        self.roots: bytes = self._ca.cert_pem.bytes()

    def issue(self, *names: str, common_name: str | None = None) -> Identity:
        made = self._ca.issue_cert(*names, common_name=common_name)
        chain = b"".join(pem.bytes() for pem in made.cert_chain_pems)
        return Identity(made.private_key_pem.bytes(), chain)


@functools.cache
def authority() -> Authority:
    """The authority that tests trust. Keys take time: one for all."""
    return Authority()


@functools.cache
def localhost() -> Identity:
    """An identity of localhost and 127.0.0.1."""
    return authority().issue("localhost", "127.0.0.1")


def server_tls(*, mutual: bool = False, identity: Identity | None = None) -> grpc.ServerCredentials:
    """TLS for a server; with `mutual` clients need a certificate of authority()'s."""
    return grpc.ssl_server_credentials(
        [identity or localhost()], authority().roots if mutual else None, mutual
    )


def channel_tls(identity: Identity | None = None, roots: bytes | None = None) -> grpc.ChannelCredentials:
    """TLS for a client that trusts authority(), or `roots`."""
    key, chain = identity or (None, None)
    return grpc.ssl_channel_credentials(roots or authority().roots, key, chain)


@contextlib.asynccontextmanager
async def serving_at(
    address: str,
    credentials: grpc.ServerCredentials,
    *generic: grpc.GenericRpcHandler,
    **options: Any,
) -> AsyncIterator[Serving]:
    """A server of `generic` handlers on a secure port."""
    server = aio.server(**options)
    server.add_generic_rpc_handlers(generic)
    port = server.add_secure_port(address, credentials)
    await server.start()
    try:
        yield Serving(server, port)
    finally:
        await server.stop(None)


def serving_tls(
    credentials: grpc.ServerCredentials, *generic: grpc.GenericRpcHandler, **options: Any
) -> contextlib.AbstractAsyncContextManager[Serving]:
    return serving_at("127.0.0.1:0", credentials, *generic, **options)


async def auth(_request: bytes, context: Any) -> bytes:
    """A handler that tells what the server knows of its peer, as peer.Service/Auth does."""
    identities = context.peer_identities()
    properties = context.auth_context()
    return json.dumps(
        {
            "identities": identities and [value.decode() for value in identities],
            "key": context.peer_identity_key(),
            "properties": {key: [value.decode() for value in values] for key, values in properties.items()},
        }
    ).encode()


# ---- grpcio as it is, in other processes


def _config(**values: Any) -> bytes:
    texts = {key: value.decode() if isinstance(value, bytes) else value for key, value in values.items()}
    return json.dumps(texts).encode() + b"\n"


@contextlib.contextmanager
def stock_tls_server(identity: Identity, *, roots: bytes | None = None) -> Iterator[int]:
    """Serves peer.Service over TLS; with `roots` clients need a certificate. Gives the port."""
    with subprocess.Popen(
        [sys.executable, "-m", "peers.stock_tls", "server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(_config(key=identity.key, chain=identity.chain, roots=roots))
            process.stdin.flush()
            yield int(process.stdout.readline())
        finally:
            # The end of its input tells it to stop.
            process.stdin.close()
            assert process.wait(30) == 0


async def stock_tls_client(target: str, roots: bytes, identity: Identity | None = None) -> Any:
    """Has a client call peer.Service/Auth over TLS; gives the response or the status code's name."""
    key, chain = identity or (None, None)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "peers.stock_tls",
        "client",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    out, err = await process.communicate(_config(target=target, roots=roots, key=key, chain=chain))
    assert process.returncode == 0, err.decode()
    return json.loads(out)
