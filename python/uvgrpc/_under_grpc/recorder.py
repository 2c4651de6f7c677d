# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What grpcio's credentials were made from: the one file that touches grpc._cython.

uvgrpc has a gRPC core of its own, and no pointer may cross from grpcio's. Credentials
are therefore made again, from what they were made of: from a recipe. Some of grpcio's
objects can be read; for the rest `start()` exchanges the factories in
grpc._cython.cygrpc for ones that note their arguments. grpc's public functions look
those up when they are called, so it does not matter how and when a program got hold of
the public functions. The objects are grpcio's own as before, and of use to grpcio.
"""

from __future__ import annotations

import functools
import gc
import importlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import grpc

from uvgrpc._under_grpc.recipes import (
    AccessToken,
    AltsChannel,
    AltsServer,
    CallRecipe,
    Certificates,
    ChannelRecipe,
    CompositeCall,
    CompositeChannel,
    ComputeEngine,
    Insecure,
    Local,
    Plugin,
    ReloadingTlsServer,
    ServerRecipe,
    TlsChannel,
    TlsServer,
    XdsChannel,
    XdsServer,
)

# Any: what is private to grpcio has no types.
cygrpc: Any = importlib.import_module("grpc._cython.cygrpc")
AccessTokenAuthMetadataPlugin: Any = importlib.import_module("grpc._auth").AccessTokenAuthMetadataPlugin

# Not in older releases, which have no custom signers either.
PrivateKeySignatureAlgorithm: Any = getattr(cygrpc, "PrivateKeySignatureAlgorithm", None)

# The certificates that grpcio comes with; trusted by channels that name none.
DEFAULT_ROOTS_FILE = os.path.join(os.path.dirname(cygrpc.__file__), "_credentials", "roots.pem")


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
      ValueError: they were made before `start()`, and cannot be read.
    """
    if isinstance(credentials, cygrpc.InsecureChannelCredentials):
        return Insecure()
    if isinstance(credentials, cygrpc.SSLChannelCredentials):
        return TlsChannel(
            credentials._pem_root_certificates,
            credentials._private_key,
            credentials._certificate_chain,
            getattr(credentials, "_private_key_signer", None),
        )
    if isinstance(credentials, cygrpc.XDSChannelCredentials):
        return XdsChannel(channel_credentials(credentials._fallback_credentials))
    if isinstance(credentials, _LocalChannelCredentials):
        return Local(credentials.kind)
    if isinstance(credentials, _AltsChannelCredentials):
        return AltsChannel(credentials.service_accounts)
    if isinstance(credentials, _ComputeEngineChannelCredentials):
        return ComputeEngine(call_credentials(credentials.call_credentials))
    for kind, what in _UNREADABLE:
        if isinstance(credentials, kind):
            raise made_too_early(what)
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
    note = _note_of(credentials)
    if note is None:
        raise made_too_early("server credentials")
    made: ServerRecipe = note.read()
    return made


def certificates(configuration: Any) -> Certificates:
    """What a grpc.ServerCertificateConfiguration stands for.

    Raises:
      TypeError: it is something else.
      ValueError: it was made before `start()`.
    """
    if not isinstance(configuration, grpc.ServerCertificateConfiguration):
        raise TypeError(f"not a grpc.ServerCertificateConfiguration: {configuration!r}")
    inner: Any = configuration
    note = _note_of(inner._certificate_configuration)
    if note is None:
        raise made_too_early("server certificates")
    made: Certificates = note.read()
    return made


def session_cache(value: Any) -> Any:
    """The object of grpc._cython inside a grpc.experimental.session_cache.SSLSessionCache.

    It has the attributes `capacity` and `core`; the latter is None, and for the caller to
    keep what it makes of it. None if `value` is something else.

    Raises:
      ValueError: it was made before `start()`.
    """
    cache = getattr(value, "_cache", value)
    if isinstance(cache, _SslSessionCache):
        return cache
    if isinstance(cache, _SslSessionCache.__base__):
        raise made_too_early("TLS sessions")
    return None


def made_too_early(what: str) -> ValueError:
    """The error for an object that cannot be read and whose making was not seen."""
    return ValueError(
        f"these {what} were made before uvgrpc was imported, and grpcio does not tell what they "
        "were made from: import uvgrpc first, then make them"
    )


# ---- objects that note what they were made from themselves


class _LocalChannelCredentials(cygrpc.LocalChannelCredentials):  # type: ignore[misc]
    def __init__(self, kind: int) -> None:
        self.kind = kind


class _AltsChannelCredentials(cygrpc.ALTSChannelCredentials):  # type: ignore[misc]
    def __init__(self, service_accounts: list[str]) -> None:
        self.service_accounts = tuple(service_accounts)


class _ComputeEngineChannelCredentials(cygrpc.ComputeEngineChannelCredentials):  # type: ignore[misc]
    def __init__(self, call_credentials: Any) -> None:
        self.call_credentials = call_credentials


class _SslSessionCache(cygrpc.SSLSessionCacheLRU):  # type: ignore[misc]
    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.core: Any = None


_UNREADABLE = (
    (cygrpc.LocalChannelCredentials, "local channel credentials"),
    (cygrpc.ALTSChannelCredentials, "ALTS channel credentials"),
    (cygrpc.ComputeEngineChannelCredentials, "compute engine channel credentials"),
)

# ---- notes on objects of a class that cannot be extended
#
# A note must live as long as the object it is about, and no longer. The objects take
# neither attributes nor weak references, but each keeps a list of what must live as
# long as it does, which the garbage collector shows. A note goes there.


class _Note:
    """What an object was made from, by a function that tells when it is asked."""

    def __init__(self, read: Callable[[], Any]) -> None:
        self.read = read


def _note_of(made: Any) -> _Note | None:
    for kept in gc.get_referents(made):
        if type(kept) is list:
            for entry in kept:
                if type(entry) is _Note:
                    return entry
    return None


def _noting(original: Callable[..., Any], read: Callable[..., Any]) -> Callable[..., Any]:
    """A factory like `original` that notes what `read` makes of its arguments."""

    @functools.wraps(original)
    def factory(*args: Any) -> Any:
        # Arguments may be iterators, which can be read once.
        args = tuple(list(arg) if isinstance(arg, Iterator) else arg for arg in args)
        made = original(*args)
        for kept in gc.get_referents(made):
            if type(kept) is list:
                kept.append(_Note(lambda: read(*args)))
                break
        return made

    return factory


def _read_certificates(pem_root_certs: str | bytes | None, pairs: Iterable[Any]) -> Certificates:
    roots = pem_root_certs.encode("ascii") if isinstance(pem_root_certs, str) else pem_root_certs
    return Certificates(roots, tuple((pair.private_key, pair.certificate_chain) for pair in pairs))


# The factories, with what turns their arguments into a recipe.
_FACTORIES: dict[str, Callable[..., Any]] = {
    "server_credentials_ssl": lambda roots, pairs, required: TlsServer(
        _read_certificates(roots, pairs), bool(required)
    ),
    "server_certificate_config_ssl": _read_certificates,
    "server_credentials_ssl_dynamic_cert_config": lambda initial, fetcher, required: ReloadingTlsServer(
        certificates(initial), fetcher, bool(required)
    ),
    "server_credentials_local": Local,
    "server_credentials_alts": AltsServer,
    "xds_server_credentials": lambda fallback: XdsServer(server_credentials(fallback)),
    "insecure_server_credentials": Insecure,
}
_CLASSES = {
    "channel_credentials_local": _LocalChannelCredentials,
    "channel_credentials_alts": _AltsChannelCredentials,
    "channel_credentials_compute_engine": _ComputeEngineChannelCredentials,
    "SSLSessionCacheLRU": _SslSessionCache,
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
        for name, read in _FACTORIES.items():
            setattr(cygrpc, name, _noting(getattr(cygrpc, name), read))
        for name, replacement in _CLASSES.items():
            setattr(cygrpc, name, replacement)
