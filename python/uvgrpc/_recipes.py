# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What credentials are made from: plain values, which either gRPC core can use."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Insecure:
    """No transport security; of a channel or a server."""


@dataclass(frozen=True)
class TlsChannel:
    """TLS on a client. All PEM, or None; `signer` is a function in place of the key."""

    root_certificates: bytes | None
    private_key: bytes | None
    certificate_chain: bytes | None
    signer: Callable[..., Any] | None


@dataclass(frozen=True)
class Certificates:
    """What a TLS server shows (keys with their chains), and whom it trusts. All PEM."""

    root_certificates: bytes | None
    identities: tuple[tuple[bytes, bytes], ...]


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
class Local:
    """Connections that do not leave the machine; of a channel or a server."""

    kind: int


@dataclass(frozen=True)
class AltsChannel:
    """Google's ALTS; the server must run as one of the accounts, if there are any."""

    service_accounts: tuple[str, ...]


@dataclass(frozen=True)
class AltsServer:
    """Google's ALTS."""


@dataclass(frozen=True)
class XdsChannel:
    """What the control plane says, or the fallback."""

    fallback: ChannelRecipe


@dataclass(frozen=True)
class XdsServer:
    """What the control plane says, or the fallback."""

    fallback: ServerRecipe


@dataclass(frozen=True)
class ComputeEngine:
    """A channel to Google's services from a machine of its cloud."""

    call: CallRecipe


@dataclass(frozen=True)
class ReloadingTlsServer:
    """TLS on a server whose certificates may change with each connection.

    `fetcher` gives a grpc.ServerCertificateConfiguration, or None for no change.
    """

    initial: Certificates
    fetcher: Callable[[], Any]
    require_client_certificate: bool


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


ChannelRecipe = Insecure | TlsChannel | Local | AltsChannel | XdsChannel | ComputeEngine | CompositeChannel
CallRecipe = AccessToken | Plugin | CompositeCall
ServerRecipe = Insecure | TlsServer | ReloadingTlsServer | Local | AltsServer | XdsServer
