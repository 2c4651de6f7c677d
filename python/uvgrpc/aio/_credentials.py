# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Credentials of uvgrpc's core, made from grpcio's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc

from uvgrpc import _core, _recorder

# Makes a channel's credentials, for the channel of one loop.
ChannelFactory = Callable[[], _core.ChannelCredentials]

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
        return _core.insecure_channel_credentials
    return _channel_factory(_recorder.channel_credentials(credentials))


def _channel_factory(recipe: Any) -> ChannelFactory:
    match recipe:
        case _recorder.Insecure():
            return _core.insecure_channel_credentials
        case _recorder.TlsChannel(roots, key, chain):
            if bool(key) != bool(chain):
                raise ValueError("a private key and a certificate chain must be given together")
            return lambda: _core.tls_channel_credentials(roots, key, chain)
    raise AssertionError(recipe)


def server_credentials(credentials: grpc.ServerCredentials) -> _core.ServerCredentials:
    """Credentials for a port of a server.

    Raises:
      TypeError: they are something else.
      ValueError: they were made before uvgrpc was imported.
    """
    return _server_credentials(_recorder.server_credentials(_recorder.unwrapped(credentials)))


def _server_credentials(recipe: Any) -> _core.ServerCredentials:
    match recipe:
        case _recorder.Insecure():
            return _core.insecure_server_credentials()
        case _recorder.TlsServer(certificates, require_client_certificate):
            return _core.tls_server_credentials(
                certificates.root_certificates, certificates.identities, require_client_certificate
            )
    raise AssertionError(recipe)
