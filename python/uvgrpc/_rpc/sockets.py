# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Sockets that a process was given: to listen on, and connected ones to call over."""

from __future__ import annotations

import os
import socket
import stat
import weakref
from typing import TYPE_CHECKING, Any, Protocol

import grpc

from uvgrpc.aio._connection import SocketConnection
from uvgrpc.aio._credentials import check_server_credentials
from uvgrpc.aio._ports import duplicate

if TYPE_CHECKING:
    from uvgrpc._rpc.channel import Channel, Interceptors, Options
    from uvgrpc._rpc.deadlines import Propagation
    from uvgrpc.aio._server import Server

# The first descriptor that systemd passes on (SD_LISTEN_FDS_START).
_FIRST = 3
_VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
_FAMILIES = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)

# Who listens on a socket that it was given, by the socket's inode; and in which process.
_listening: dict[int, tuple[int, weakref.ref[Server]]] = {}


class HasFileno(Protocol):
    """Something with a descriptor, as a socket or one of asyncio's is."""

    def fileno(self) -> int: ...


SocketLike = HasFileno | int


class ListeningSocket(socket.socket):
    """A socket that the process was started with.

    Attributes:
      name: what it is called there (systemd's FileDescriptorName=), "unknown" if it has no name.
    """

    name: str = "unknown"


def listen_fds() -> list[ListeningSocket]:
    """The sockets that systemd, or whoever started this process, has bound for it.

    They are there once: the variables that tell of them are unset, and children do not inherit
    them. `server.add_socket()` takes each.

    Returns:
      A socket for each descriptor, in the order of the unit's ListenStream= lines; none when the
      process was not started that way.

    Raises:
      RuntimeError: the variables are another process's, or make no sense; or one of the descriptors
        is no socket. Nothing has changed then.
    """
    count_text = os.environ.get("LISTEN_FDS")
    if count_text is None:
        return []
    pid_text = os.environ.get("LISTEN_PID", "")
    if pid_text != str(os.getpid()):
        raise RuntimeError(
            f"LISTEN_FDS is not for this process: LISTEN_PID is {pid_text or 'not set'}, and this is "
            f"{os.getpid()}. What stands between the service manager and this program, a shell perhaps, has "
            "to replace itself by it (exec)"
        )
    if not count_text.isascii() or not count_text.isdigit():
        raise RuntimeError(f"LISTEN_FDS must be a number, got {count_text!r}")
    descriptors = range(_FIRST, _FIRST + int(count_text))
    names_text = os.environ.get("LISTEN_FDNAMES")
    names = ["unknown"] * len(descriptors) if names_text is None else names_text.split(":")
    if len(names) != len(descriptors):
        raise RuntimeError(f"LISTEN_FDNAMES has {len(names)} names for {len(descriptors)} descriptors")
    for descriptor, name in zip(descriptors, names, strict=True):
        what = f"descriptor {descriptor} ({name}) of LISTEN_FDS"
        try:
            _check_is_socket(descriptor)
        except ValueError as error:
            raise RuntimeError(f"{what}: {error}") from None
    sockets = []
    for descriptor, name in zip(descriptors, names, strict=True):
        os.set_inheritable(descriptor, False)
        sockets.append(ListeningSocket(fileno=descriptor))
        sockets[-1].name = name
    for variable in _VARIABLES:
        os.environ.pop(variable, None)
    return sockets


def add_socket(server: Server, sock: SocketLike, credentials: grpc.ServerCredentials | None = None) -> int:
    """Has a server listen on a socket. See uvgrpc.Server.add_socket()."""
    if credentials is not None:
        check_server_credentials(credentials)
    with _stream_socket(sock) as own:
        _check_bound(own)
        inode = os.fstat(own.fileno()).st_ino
        _check_free(inode, own)
        port = server._add_socket(duplicate(own), credentials)
        _listening[inode] = os.getpid(), weakref.ref(server, lambda _: _listening.pop(inode, None))
        return port


def channel_from_socket(
    sock: SocketLike,
    credentials: grpc.ChannelCredentials | None = None,
    *,
    options: Options | None = None,
    compression: grpc.Compression | None = None,
    interceptors: Interceptors | None = None,
    propagate: Propagation = False,
    authority: str | None = None,
) -> Channel:
    """Makes a channel over a socket that is connected to a server.

    It has that connection only: once it is lost, calls fail with UNAVAILABLE.

    Args:
      sock: a connected TCP or Unix socket, or its descriptor. It stays the caller's, who may close it,
        and must not read from it or write to it: the channel has a descriptor of its own.
      credentials: grpc's, as from grpc.ssl_channel_credentials(); None for an insecure channel.
      authority: what the server is called, in calls and for its certificate; None for the address
        that the socket is connected to, "localhost" if that is a Unix socket's.
      options: as the others, of insecure_channel().

    Raises:
      TypeError: it is neither a socket nor a descriptor.
      ValueError: it is closed, not connected, or no stream socket.
      OSError: it cannot be used.
    """
    from uvgrpc._rpc.channel import Channel

    with _stream_socket(sock) as own:
        peer = _check_connected(own)
        if authority is not None:
            options = (*(options or ()), ("grpc.default_authority", authority))
        connection = SocketConnection(duplicate(own))
    return Channel(
        f"the socket to {peer}",
        credentials,
        options,
        compression,
        interceptors,
        propagate,
        connection=connection,
    )


# ---- what is wrong with a socket


def _stream_socket(sock: SocketLike) -> socket.socket:
    """A socket object of its own for a stream socket.

    Raises:
      TypeError: it is neither a socket nor a descriptor.
      ValueError: it is closed, or no stream socket.
    """
    if isinstance(sock, int) and not isinstance(sock, bool):
        descriptor = sock
    elif isinstance(sock, bool) or not callable(getattr(sock, "fileno", None)):
        raise TypeError(f"a socket or a file descriptor is needed, got {type(sock).__name__}")
    else:
        descriptor = sock.fileno()
        if descriptor < 0:
            raise ValueError("the socket is closed")
    _check_is_socket(descriptor)
    own = socket.socket(fileno=os.dup(descriptor))
    kind = None
    if own.family not in _FAMILIES:
        kind = f"a TCP or Unix socket is needed, this one is of the family {_name(own.family)}"
    elif own.type != socket.SOCK_STREAM:
        kind = f"a stream socket is needed, this one is a {_name(own.type)}"
    if kind is not None:
        own.close()
        raise ValueError(kind)
    return own


def _name(value: Any) -> str:
    return str(getattr(value, "name", value))


def _check_is_socket(descriptor: int) -> None:
    try:
        mode = os.fstat(descriptor).st_mode
    except (OSError, OverflowError):
        raise ValueError(f"{descriptor} is no open file descriptor") from None
    if not stat.S_ISSOCK(mode):
        raise ValueError(f"file descriptor {descriptor} is no socket")


def _peer_of(own: socket.socket) -> str | None:
    """Whom a socket is connected to; None if to nobody."""
    try:
        return _described(own, own.getpeername())
    except OSError:
        return None


def _described(own: socket.socket, address: Any) -> str:
    if own.family == socket.AF_UNIX:
        # Bytes for one that is no file, empty for one without a name.
        return os.fsdecode(address).replace("\0", "@") or "a socket without a name"
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _check_bound(own: socket.socket) -> None:
    """Raises ValueError unless a server can listen on it."""
    peer = _peer_of(own)
    if peer is not None:
        raise ValueError(
            f"a socket that listens, or is bound, is needed: this one is connected, to {peer}. "
            "A client's channel can be made from it: uvgrpc.channel_from_socket()"
        )
    address = own.getsockname()
    if not (address if own.family == socket.AF_UNIX else address[1]):
        raise ValueError("the socket is not bound: bind() it first")


def _check_connected(own: socket.socket) -> str:
    """Whom it is connected to. Raises ValueError if to nobody."""
    peer = _peer_of(own)
    if peer is not None:
        return peer
    if own.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise ValueError(
            f"a connected socket is needed: this one listens at {_described(own, own.getsockname())}, "
            "for a server's add_socket()"
        )
    raise ValueError("the socket is not connected: connect() it first, or make a channel to its address")


def _check_free(inode: int, own: socket.socket) -> None:
    """Raises RuntimeError if a server of this process listens on the socket."""
    pid, reference = _listening.get(inode, (0, None))
    other = None if reference is None else reference()
    if other is None or pid != os.getpid() or other._has_stopped():
        return
    raise RuntimeError(
        f"another server listens on this socket already, at {_described(own, own.getsockname())}: "
        "each needs one of its own, which may share the port (SO_REUSEPORT)"
    )
