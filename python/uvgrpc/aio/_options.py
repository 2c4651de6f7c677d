# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Channel arguments that the API's own parameters stand for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import grpc

from uvgrpc.aio._credentials import session_cache

Options = tuple[tuple[str, Any], ...]

# The header by which core is told of a call's compression; core removes it.
_COMPRESSION_METADATA_KEY = "grpc-internal-encoding-request"
_DEFAULT_COMPRESSION = "grpc.default_compression_algorithm"
# The values of these are pointers into grpcio's core: the first is made again, the
# second, which is grpcio's own server's business, is left out.
_SESSION_CACHE = ("grpc.ssl_session_cache", b"grpc.ssl_session_cache")
_TRACER = (
    "grpc.experimental.server_call_tracer_factory",
    b"grpc.experimental.server_call_tracer_factory",
)
# uvgrpc's own option of servers, which core need not know.
_HIDE_EXCEPTIONS = "uvgrpc.hide_exceptions"
_ALGORITHM_NAMES = {
    grpc.Compression.NoCompression: "identity",
    grpc.Compression.Deflate: "deflate",
    grpc.Compression.Gzip: "gzip",
}


def with_compression(
    options: Iterable[tuple[str, Any]] | None, compression: grpc.Compression | None
) -> Options:
    """`options` and what asks for `compression` on everything that is sent.

    Raises:
      ValueError: a cache of TLS sessions was made before uvgrpc was imported.
    """
    result = tuple(
        (name, session_cache(value) if name in _SESSION_CACHE else value)
        for name, value in options or ()
        if name not in _TRACER
    )
    if compression:
        result += ((_DEFAULT_COMPRESSION, int(compression)),)
    return result


def without_hide_exceptions(options: Iterable[tuple[str, Any]]) -> tuple[Options, bool]:
    """`options` but for uvgrpc.hide_exceptions, and whether that is set."""
    entries = tuple(options)
    rest = tuple(entry for entry in entries if entry[0] != _HIDE_EXCEPTIONS)
    return rest, any(bool(value) for name, value in entries if name == _HIDE_EXCEPTIONS)


def compression_entry(compression: grpc.Compression) -> tuple[str, str]:
    """What asks, in a call's initial metadata, for an algorithm.

    Raises:
      ValueError: `compression` is not a member of grpc.Compression.
    """
    try:
        return _COMPRESSION_METADATA_KEY, _ALGORITHM_NAMES[grpc.Compression(compression)]
    except (ValueError, KeyError):
        raise ValueError(f"not a grpc.Compression: {compression!r}") from None
