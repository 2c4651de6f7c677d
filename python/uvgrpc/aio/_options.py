# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Channel arguments that the API's own parameters stand for."""

from __future__ import annotations

import numbers
import operator
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import grpc

from uvgrpc._core import SslSessionCache
from uvgrpc._runtime.warn import warn
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
# uvgrpc's own options of servers, which core need not know.
_HIDE_EXCEPTIONS = "uvgrpc.hide_exceptions"
_MAX_WAITING = "uvgrpc.max_waiting_rpcs"
_ALGORITHM_NAMES = {
    grpc.Compression.NoCompression: "identity",
    grpc.Compression.Deflate: "deflate",
    grpc.Compression.Gzip: "gzip",
}


def with_compression(
    options: Iterable[tuple[str, Any]] | None, compression: grpc.Compression | None
) -> Options:
    """`options` as core takes them, and what asks for `compression` on everything that is sent.

    Numbers become integers. What is a pointer into grpcio's core is left out, with a warning
    that names it.

    Raises:
      TypeError: a value is of no kind that gRPC knows.
      ValueError: a number is not a number, or a cache of TLS sessions was made before uvgrpc
        was imported.
      OverflowError: a number does not fit in 32 bits.
    """
    result = tuple(
        (name, converted)
        for name, value in options or ()
        if name not in _TRACER and (converted := _converted(name, value)) is not None
    )
    if compression:
        result += ((_DEFAULT_COMPRESSION, int(compression)),)
    return result


def _converted(name: Any, value: Any) -> Any:
    """A value as core takes it: an int, str, bytes or session cache. None for none."""
    if not isinstance(name, (str, bytes)):
        raise TypeError(f"the name of a channel argument must be str or bytes, got {name!r}")
    if name in _SESSION_CACHE:
        value = session_cache(value)
    if isinstance(value, (str, bytes, SslSessionCache)):
        return value
    number = _integer(name, value)
    if number is not None:
        if not -(2**31) <= number < 2**31:
            raise OverflowError(f"channel argument {name!r}: {value} does not fit in 32 bits")
        return number
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if hasattr(value, "__int__"):
        warn(
            f"the channel argument {name!r} is left out: a {kind}, which has only __int__, "
            "is a pointer into grpcio's own core, and uvgrpc has another"
        )
        return None
    raise TypeError(
        f"channel argument {name!r} must be a number, str or bytes, got {kind}; "
        "objects that point into grpcio's own core cannot be used here"
    )


def _integer(name: Any, value: Any) -> int | None:
    """The value of a number, without its fraction; None if it is no number."""
    try:
        return operator.index(value)
    except TypeError:
        pass
    # Decimal is a number that has no arithmetic with the others, complex one without __int__.
    if not isinstance(value, numbers.Number) or not hasattr(value, "__int__"):
        return None
    try:
        return int(value)
    except (ValueError, OverflowError) as error:
        raise type(error)(f"channel argument {name!r}: {error}") from None


@dataclass(frozen=True)
class ServerOptions:
    """What a server's options say: those of core's, and uvgrpc's own."""

    core: Options
    hides_exceptions: bool = False
    max_waiting_rpcs: int | None = None


def server_options(options: Iterable[tuple[str, Any]]) -> ServerOptions:
    """Takes uvgrpc's own options out of a server's.

    Raises:
      TypeError: uvgrpc.max_waiting_rpcs is not an integer.
      ValueError: it is not positive.
      OverflowError: it does not fit in 32 bits.
    """
    entries = tuple(options)
    rest = tuple(entry for entry in entries if entry[0] not in (_HIDE_EXCEPTIONS, _MAX_WAITING))
    hides = any(bool(value) for name, value in entries if name == _HIDE_EXCEPTIONS)
    limit = None
    for name, value in entries:
        if name != _MAX_WAITING:
            continue
        limit = operator.index(value)
        if limit <= 0:
            raise ValueError(f"{name} must be positive, got {value}")
        if limit >= 2**31:
            raise OverflowError(f"{name}: {value} does not fit in 32 bits")
    return ServerOptions(rest, hides, limit)


def compression_entry(compression: grpc.Compression) -> tuple[str, str]:
    """What asks, in a call's initial metadata, for an algorithm.

    Raises:
      ValueError: `compression` is not a member of grpc.Compression.
    """
    try:
        return _COMPRESSION_METADATA_KEY, _ALGORITHM_NAMES[grpc.Compression(compression)]
    except (ValueError, KeyError):
        raise ValueError(f"not a grpc.Compression: {compression!r}") from None
