# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What credentials are made from: plain values, which either gRPC core can use."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import Any

from uvgrpc._runtime.record import Record


class Insecure(Record):
    """No transport security; of a channel or a server."""


class TlsChannel(Record):
    """TLS on a client. All PEM, or None; `signer` is a function in place of the key."""

    root_certificates: bytes | None
    private_key: bytes | None
    certificate_chain: bytes | None
    signer: Callable[..., Any] | None


class Certificates(Record):
    """What a TLS server shows (keys with their chains), and whom it trusts. All PEM."""

    root_certificates: bytes | None
    identities: tuple[tuple[bytes, bytes], ...]


class TlsServer(Record):
    """TLS on a server."""

    certificates: Certificates
    require_client_certificate: bool


class CompositeChannel(Record):
    """The security of a channel, and metadata in each of its calls."""

    channel: ChannelRecipe
    calls: tuple[CallRecipe, ...]


class Local(Record):
    """Connections that do not leave the machine; of a channel or a server."""

    kind: int


class AltsChannel(Record):
    """Google's ALTS; the server must run as one of the accounts, if there are any."""

    service_accounts: tuple[str, ...]


class AltsServer(Record):
    """Google's ALTS."""


class XdsChannel(Record):
    """What the control plane says, or the fallback."""

    fallback: ChannelRecipe


class XdsServer(Record):
    """What the control plane says, or the fallback."""

    fallback: ServerRecipe


class ComputeEngine(Record):
    """A channel to Google's services from a machine of its cloud."""

    call: CallRecipe


class ReloadingTlsServer(Record):
    """TLS on a server whose certificates may change with each connection.

    `fetcher` gives a grpc.ServerCertificateConfiguration, or None for no change.
    """

    initial: Certificates
    fetcher: Callable[[], Any]
    require_client_certificate: bool


class AccessToken(Record):
    """A bearer token in each call."""

    token: str


class Plugin(Record):
    """Metadata of a grpc.AuthMetadataPlugin's; `context` is of where it was given to grpc."""

    plugin: Any
    context: contextvars.Context


class CompositeCall(Record):
    """The metadata of all parts."""

    parts: tuple[CallRecipe, ...]


ChannelRecipe = Insecure | TlsChannel | Local | AltsChannel | XdsChannel | ComputeEngine | CompositeChannel
CallRecipe = AccessToken | Plugin | CompositeCall
ServerRecipe = Insecure | TlsServer | ReloadingTlsServer | Local | AltsServer | XdsServer
