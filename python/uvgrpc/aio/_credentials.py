# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Credentials of uvgrpc's core, made from grpcio's."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

import grpc

from uvgrpc import _core
from uvgrpc._under_grpc import recipes, recorder
from uvgrpc.aio._plugins import PluginCaller
from uvgrpc.aio._signer import SignerCaller

# Makes a channel's credentials, for the channel of one loop.
ChannelFactory = Callable[[_core.Loop], _core.ChannelCredentials]

_session_cache_lock = threading.Lock()

_core.set_default_roots_file(recorder.DEFAULT_ROOTS_FILE)


def channel_factory(credentials: Any) -> ChannelFactory:
    """What makes the credentials of a channel on whatever loop it is bound to.

    As in grpcio, each channel has credentials of its own in core, whichever object they
    were made from.

    Args:
      credentials: what is inside a grpc.ChannelCredentials, or None for a channel without
        transport security.

    Raises:
      TypeError: they are something else.
      ValueError: they cannot be made again.
    """
    if credentials is None:
        return _insecure
    return _channel_factory(recorder.channel_credentials(credentials))


def _channel_factory(recipe: recipes.ChannelRecipe) -> ChannelFactory:
    match recipe:
        case recipes.Insecure():
            return _insecure
        case recipes.TlsChannel(roots, key, chain, signer):
            if (bool(key) or signer is not None) != bool(chain):
                raise ValueError("a private key and a certificate chain must be given together")
            caller = None if signer is None else SignerCaller(signer)
            return lambda loop: _core.tls_channel_credentials(loop, roots, key, chain, caller)
        case recipes.Local(kind):
            return lambda _loop: _core.local_channel_credentials(kind)
        case recipes.AltsChannel(service_accounts):
            return lambda _loop: _core.alts_channel_credentials(service_accounts)
        case recipes.XdsChannel(fallback):
            make_fallback = _channel_factory(fallback)
            return lambda loop: _core.xds_channel_credentials(make_fallback(loop))
        case recipes.ComputeEngine(call):
            return lambda loop: _core.compute_engine_channel_credentials(_call_credentials(call, loop))
        case recipes.CompositeChannel(channel, calls):
            make_channel = _channel_factory(channel)
            return lambda loop: _core.composite_channel_credentials(
                make_channel(loop), _composite(calls, loop)
            )


def _insecure(_loop: _core.Loop) -> _core.ChannelCredentials:
    return _core.insecure_channel_credentials()


def call_credentials(credentials: grpc.CallCredentials, loop: _core.Loop) -> _core.CallCredentials:
    """Credentials for calls on a loop. Made once for each object and loop.

    Raises:
      TypeError: they are something else.
    """
    if not isinstance(credentials, grpc.CallCredentials):
        raise TypeError(f"not call credentials: {credentials!r}")
    made = loop.call_credentials.get(credentials)
    if made is None:
        made = _call_credentials(recorder.call_credentials(recorder.unwrapped(credentials)), loop)
        loop.call_credentials[credentials] = made
    return made


def _call_credentials(recipe: recipes.CallRecipe, loop: _core.Loop) -> _core.CallCredentials:
    match recipe:
        case recipes.AccessToken(token):
            return _core.access_token_call_credentials(token.encode())
        case recipes.Plugin(plugin, context):
            return _core.plugin_call_credentials(loop, PluginCaller(plugin, context))
        case recipes.CompositeCall(parts):
            return _composite(parts, loop)


def _composite(parts: tuple[recipes.CallRecipe, ...], loop: _core.Loop) -> _core.CallCredentials:
    return functools.reduce(
        _core.composite_call_credentials, (_call_credentials(part, loop) for part in parts)
    )


def check_server_credentials(credentials: grpc.ServerCredentials) -> None:
    """Raises what server_credentials() would, though there is no loop yet."""
    recorder.server_credentials(recorder.unwrapped(credentials))


def server_credentials(credentials: grpc.ServerCredentials, loop: _core.Loop) -> _core.ServerCredentials:
    """Credentials for one port of a server on a loop.

    Raises:
      TypeError: they are something else.
      ValueError: they were made before uvgrpc was imported.
    """
    return _server_credentials(recorder.server_credentials(recorder.unwrapped(credentials)), loop)


def _server_credentials(recipe: recipes.ServerRecipe, loop: _core.Loop) -> _core.ServerCredentials:
    match recipe:
        case recipes.Insecure():
            return _core.insecure_server_credentials()
        case recipes.TlsServer(certificates, required):
            return _core.tls_server_credentials(*_parts(certificates), required)
        case recipes.ReloadingTlsServer(initial, fetcher, required):
            return _core.reloading_tls_server_credentials(
                loop, _CertificateFetcher(initial, fetcher), required
            )
        case recipes.Local(kind):
            return _core.local_server_credentials(kind)
        case recipes.AltsServer():
            return _core.alts_server_credentials()
        case recipes.XdsServer(fallback):
            return _core.xds_server_credentials(_server_credentials(fallback, loop))


_Parts = tuple[bytes | None, tuple[tuple[bytes, bytes], ...]]


def _parts(certificates: recipes.Certificates) -> _Parts:
    return certificates.root_certificates, certificates.identities


class _CertificateFetcher:
    """Gives core the initial certificates first, then what the program's fetcher gives."""

    def __init__(self, initial: recipes.Certificates, fetcher: Callable[[], Any]) -> None:
        self._initial: recipes.Certificates | None = initial
        self._fetcher = fetcher

    def __call__(self) -> _Parts | None:
        initial, self._initial = self._initial, None
        if initial is not None:
            return _parts(initial)
        fetched = self._fetcher()
        return None if fetched is None else _parts(recorder.certificates(fetched))


def session_cache(value: Any) -> Any:
    """Our core's cache of TLS sessions for one of grpcio's; the same one each time.

    Anything else is returned as it is.

    Raises:
      ValueError: it was made before uvgrpc was imported.
    """
    cache = recorder.session_cache(value)
    if cache is None:
        return value
    with _session_cache_lock:
        if cache.core is None:
            cache.core = _core.SslSessionCache(cache.capacity)
        return cache.core
