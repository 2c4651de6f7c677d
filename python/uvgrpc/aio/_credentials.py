# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Credentials of uvgrpc's core, made from grpcio's."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import grpc

from uvgrpc import _core, _recorder
from uvgrpc.aio._plugins import PluginCaller

# Makes a channel's credentials, for the channel of one loop.
ChannelFactory = Callable[[_core.Loop], _core.ChannelCredentials]

_core.set_default_roots_file(_recorder.DEFAULT_ROOTS_FILE)


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
    return _channel_factory(_recorder.channel_credentials(credentials))


def _channel_factory(recipe: _recorder.ChannelRecipe) -> ChannelFactory:
    match recipe:
        case _recorder.Insecure():
            return _insecure
        case _recorder.TlsChannel(roots, key, chain):
            if bool(key) != bool(chain):
                raise ValueError("a private key and a certificate chain must be given together")
            return lambda _loop: _core.tls_channel_credentials(roots, key, chain)
        case _recorder.CompositeChannel(channel, calls):
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
        made = _call_credentials(_recorder.call_credentials(_recorder.unwrapped(credentials)), loop)
        loop.call_credentials[credentials] = made
    return made


def _call_credentials(recipe: _recorder.CallRecipe, loop: _core.Loop) -> _core.CallCredentials:
    match recipe:
        case _recorder.AccessToken(token):
            return _core.access_token_call_credentials(token.encode())
        case _recorder.Plugin(plugin, context):
            return _core.plugin_call_credentials(loop, PluginCaller(plugin, context))
        case _recorder.CompositeCall(parts):
            return _composite(parts, loop)


def _composite(parts: tuple[_recorder.CallRecipe, ...], loop: _core.Loop) -> _core.CallCredentials:
    return functools.reduce(
        _core.composite_call_credentials, (_call_credentials(part, loop) for part in parts)
    )


def server_credentials(credentials: grpc.ServerCredentials) -> _core.ServerCredentials:
    """Credentials for a port of a server.

    Raises:
      TypeError: they are something else.
      ValueError: they were made before uvgrpc was imported.
    """
    return _server_credentials(_recorder.server_credentials(_recorder.unwrapped(credentials)))


def _server_credentials(recipe: _recorder.ServerRecipe) -> _core.ServerCredentials:
    match recipe:
        case _recorder.Insecure():
            return _core.insecure_server_credentials()
        case _recorder.TlsServer(certificates, require_client_certificate):
            return _core.tls_server_credentials(
                certificates.root_certificates, certificates.identities, require_client_certificate
            )
