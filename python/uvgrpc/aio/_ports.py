# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Ports of a server that has no event loop yet.

core opens ports on a loop. Until a server has one, each of its ports is held by a socket
that is bound and does not listen: so its number is known, an address that cannot be had is
refused when it is asked for, and nobody else gets it. Connections are refused meanwhile.
core's own sockets are bound beside these (by SO_REUSEPORT), which then go.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
from typing import Any

from uvgrpc._runtime.record import Record

# What else there is, "unix:path" for one, has no number.
_HOST_AND_PORT = re.compile(r"(\[[^\]]*\]|[^:/\[\]]*):(\d+)")
_WILDCARDS = ("", "*", "0.0.0.0", "::", "0:0:0:0:0:0:0:0")


def duplicate(own: socket.socket) -> socket.socket:
    """As own.dup(), but whether the socket blocks stays as it is, also for others who have it.

    Another process may be about to accept(), and would hang there.
    """
    return socket.socket(own.family, own.type, own.proto, fileno=os.dup(own.fileno()))


class Port(Record):
    """A port that a server was asked for.

    Attributes:
      address: what to bind, with the port's number in place of 0.
      credentials: of grpc's; None for an insecure port.
      adopted: a socket that is bound already, in place of an address.
    """

    address: str
    credentials: Any
    adopted: socket.socket | None


class ReservedPorts:
    """The ports of a server, and the sockets that hold them.

    Args:
      reuse_port: whether several sockets of this user may have one port, as servers have
        it unless ("grpc.so_reuseport", 0) is among their options.
    """

    def __init__(self, reuse_port: bool) -> None:
        self._reuse_port = reuse_port
        self.ports: list[Port] = []
        self._sockets: list[socket.socket] = []

    def __del__(self) -> None:
        self.release()
        self.forget()

    def add(self, address: str, credentials: Any) -> int:
        """Notes a port, and holds it if it has a number.

        Returns:
          Its number; for an address without one, such as "unix:path", 1, as core has it.

        Raises:
          OSError: it cannot be bound.
        """
        number = 1
        match = _HOST_AND_PORT.fullmatch(address)
        if match is not None:
            host, text = match.groups()
            number = self._hold(host.strip("[]"), int(text))
            address = f"{host}:{number}"
        elif address.startswith("unix:"):
            _check_folder(address.removeprefix("unix:"))
        self.ports.append(Port(address, credentials, None))
        return number

    def adopt(self, own: socket.socket, credentials: Any) -> int:
        """Notes a bound socket, and takes it over. Returns the port; of a Unix socket 1."""
        self.ports.append(Port("", credentials, own))
        return 1 if own.family == socket.AF_UNIX else int(own.getsockname()[1])

    def forget(self) -> None:
        """Forgets all ports. Idempotent."""
        while self.ports:
            adopted = self.ports.pop().adopted
            if adopted is not None:
                adopted.close()

    def release_before_binding(self) -> None:
        """Lets go of the sockets beside which core cannot bind its own."""
        if not self._reuse_port:
            self.release()

    def release(self) -> None:
        """Lets go of the sockets that hold ports. Idempotent."""
        while self._sockets:
            self._sockets.pop().close()

    def _hold(self, host: str, number: int) -> int:
        held = False
        refused: OSError | None = None
        for family, address in _addresses(host):
            try:
                own = self._bound(family, (address[0], number, *address[2:]))
            except OSError as error:
                refused = error  # as in core, one of a name's addresses is enough
                continue
            held = True
            self._sockets.append(own)
            number = own.getsockname()[1]
        if not held and refused is not None:
            raise refused
        return number

    def _bound(self, family: int, address: Any) -> socket.socket:
        own = socket.socket(family, socket.SOCK_STREAM)
        try:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if self._reuse_port:
                own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                own.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, address[0] not in _WILDCARDS)
            own.bind(address)
        except OSError:
            own.close()
            raise
        return own


def _addresses(host: str) -> list[tuple[int, Any]]:
    """The families and addresses that core binds for a host."""
    if host in _WILDCARDS:
        # One socket for both kinds of addresses, where there are both.
        if _has_ipv6():
            return [(socket.AF_INET6, ("::", 0, 0, 0))]
        return [(socket.AF_INET, ("0.0.0.0", 0))]
    found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((entry[0], entry[4]) for entry in found))


def _has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
        probe.bind(("::1", 0))
        return True
    return False


def _check_folder(path: str) -> None:
    folder = os.path.dirname(os.path.abspath(path.removeprefix("//")))
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"no such folder: {folder}")
