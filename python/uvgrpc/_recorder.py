# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What grpcio's credentials were made from: the one file that touches grpc._cython.

uvgrpc has a gRPC core of its own, and no pointer may cross from grpcio's. Credentials
are therefore made again, from what they were made of. Some of grpcio's objects can be
read; for the rest `start()` exchanges the factories in grpc._cython.cygrpc for ones
that note their arguments. grpc's public functions look those up when they are called,
so it does not matter how and when a program got hold of the public functions. The
objects are grpcio's own as before, and of use to grpcio as before.
"""

from __future__ import annotations

import contextvars
import gc
import importlib
import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

# Any: what is private to grpcio has no types.
cygrpc: Any = importlib.import_module("grpc._cython.cygrpc")
AccessTokenAuthMetadataPlugin: Any = importlib.import_module("grpc._auth").AccessTokenAuthMetadataPlugin

# The certificates that grpcio comes with; trusted by channels that name none.
DEFAULT_ROOTS_FILE = os.path.join(os.path.dirname(cygrpc.__file__), "_credentials", "roots.pem")

Identities = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True)
class Insecure:
    """No transport security; of a channel or a server."""


@dataclass(frozen=True)
class TlsChannel:
    """TLS on a client. All PEM, or None."""

    root_certificates: bytes | None
    private_key: bytes | None
    certificate_chain: bytes | None


@dataclass(frozen=True)
class Certificates:
    """What a TLS server shows (keys with their chains), and whom it trusts. All PEM."""

    root_certificates: bytes | None
    identities: Identities


@dataclass(frozen=True)
class TlsServer:
    """TLS on a server."""

    certificates: Certificates
    require_client_certificate: bool


@dataclass(frozen=True)
class CompositeChannel:
    """The security of a channel, and metadata in each of its calls."""

    channel: ChannelRecipe
    calls: tuple[CallRecipe, ...]


@dataclass(frozen=True)
class AccessToken:
    """A bearer token in each call."""

    token: str


@dataclass(frozen=True)
class Plugin:
    """Metadata of a grpc.AuthMetadataPlugin's; `context` is of where it was given to grpc."""

    plugin: Any
    context: contextvars.Context


@dataclass(frozen=True)
class CompositeCall:
    """The metadata of all parts."""

    parts: tuple[CallRecipe, ...]


ChannelRecipe = Insecure | TlsChannel | CompositeChannel
CallRecipe = AccessToken | Plugin | CompositeCall
ServerRecipe = Insecure | TlsServer


def unwrapped(credentials: Any) -> Any:
    """The object of grpc._cython inside one of grpc's public credentials.

    Raises:
      AttributeError: it is something else.
    """
    return credentials._credentials


def channel_credentials(credentials: Any) -> ChannelRecipe:
    """What channel credentials of grpcio's (cygrpc.ChannelCredentials) stand for.

    Raises:
      TypeError: they are something else.
    """
    if isinstance(credentials, cygrpc.InsecureChannelCredentials):
        return Insecure()
    if isinstance(credentials, cygrpc.SSLChannelCredentials):
        return TlsChannel(
            credentials._pem_root_certificates, credentials._private_key, credentials._certificate_chain
        )
    if isinstance(credentials, cygrpc.CompositeChannelCredentials):
        return CompositeChannel(
            channel_credentials(credentials._channel_credentials),
            tuple(call_credentials(part) for part in credentials._call_credentialses),
        )
    raise TypeError(f"not channel credentials that uvgrpc knows: {credentials!r}")


def call_credentials(credentials: Any) -> CallRecipe:
    """What call credentials of grpcio's (cygrpc.CallCredentials) stand for.

    Raises:
      TypeError: they are something else.
    """
    if isinstance(credentials, cygrpc.CompositeCallCredentials):
        return CompositeCall(tuple(call_credentials(part) for part in credentials._call_credentialses))
    if not isinstance(credentials, cygrpc.MetadataPluginCallCredentials):
        raise TypeError(f"not call credentials that uvgrpc knows: {credentials!r}")
    wrapper = credentials._metadata_plugin
    plugin = wrapper._metadata_plugin
    if type(plugin) is AccessTokenAuthMetadataPlugin:
        # Core knows these itself; but what cannot be a header is for the plugin's way to refuse.
        token = plugin._access_token
        if isinstance(token, str) and token.isascii() and token.isprintable():
            return AccessToken(token)
    return Plugin(plugin, wrapper._stored_ctx)


def server_credentials(credentials: Any) -> ServerRecipe:
    """What server credentials of grpcio's (cygrpc.ServerCredentials) stand for.

    Raises:
      TypeError: they are something else.
      ValueError: they were made before `start()`.
    """
    if not isinstance(credentials, cygrpc.ServerCredentials):
        raise TypeError(f"not server credentials: {credentials!r}")
    noted: ServerRecipe | None = _note_of(credentials, (Insecure, TlsServer))
    if noted is None:
        raise made_too_early("server credentials")
    return noted


def made_too_early(what: str) -> ValueError:
    """The error for an object that cannot be read and whose making was not seen."""
    return ValueError(
        f"these {what} were made before uvgrpc was imported, and grpcio does not tell what they "
        "were made from: import uvgrpc first, then make them"
    )


# ---- notes
#
# A note must live as long as the object it is about, and no longer. The objects take
# neither attributes nor weak references, but each keeps a list of what must live as
# long as it does, which the garbage collector shows. A note goes there.


def _note(made: Any, note: Any) -> Any:
    """Notes on an object of grpcio's what it was made from; returns the object."""
    for kept in gc.get_referents(made):
        if type(kept) is list:
            kept.append(note)
            break
    return made


def _note_of(made: Any, kinds: tuple[type, ...]) -> Any:
    for kept in gc.get_referents(made):
        if type(kept) is list:
            for entry in kept:
                if type(entry) in kinds:
                    return entry
    return None


# ---- factories


def _bytes(text: str | bytes | None) -> bytes | None:
    return text.encode("ascii") if isinstance(text, str) else text


def _identities(pairs: Iterable[Any]) -> Identities:
    return tuple((pair.private_key, pair.certificate_chain) for pair in pairs)


def _server_credentials_ssl(original: Any) -> Callable[..., Any]:
    def server_credentials_ssl(pem_root_certs: Any, pem_key_cert_pairs: Any, force_client_auth: Any) -> Any:
        pairs = list(pem_key_cert_pairs)
        made = original(pem_root_certs, pairs, force_client_auth)
        certificates = Certificates(_bytes(pem_root_certs), _identities(pairs))
        return _note(made, TlsServer(certificates, bool(force_client_auth)))

    return server_credentials_ssl


def _insecure_server_credentials(original: Any) -> Callable[..., Any]:
    def insecure_server_credentials() -> Any:
        return _note(original(), Insecure())

    return insecure_server_credentials


_FACTORIES = {
    "server_credentials_ssl": _server_credentials_ssl,
    "insecure_server_credentials": _insecure_server_credentials,
}
_lock = threading.Lock()
_started = False


def start() -> None:
    """Notes from here on what credentials are made from. Idempotent."""
    global _started
    with _lock:
        if _started:
            return
        _started = True
        for name, wrap in _FACTORIES.items():
            setattr(cygrpc, name, wrap(getattr(cygrpc, name)))
