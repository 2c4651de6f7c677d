# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""A DNS server on the test's own loop: no thread, no network."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from typing import Any

A, TXT, AAAA, SRV = 1, 16, 28, 33
_NXDOMAIN = 3


class DnsServer(asyncio.DatagramProtocol):
    """Answers what it is taught, and that there is no such name to everything else."""

    def __init__(self) -> None:
        self.addresses: dict[str, str] = {}
        """By name."""
        self.silent: set[str] = set()
        """Names that get no answer."""
        self.asked: list[tuple[str, int]] = []
        """Names and kinds of records, in the order in which they were asked for."""
        self.port = 0

    def target(self, name: str, port: int) -> str:
        """A target that asks this server for `name`."""
        return f"dns://127.0.0.1:{self.port}/{name}:{port}"

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, peer: tuple[str | int, int]) -> None:
        labels = []
        at = 12
        while size := data[at]:
            labels.append(data[at + 1 : at + 1 + size].decode().lower())
            at += 1 + size
        name = ".".join(labels)
        (kind,) = struct.unpack_from("!H", data, at + 1)
        self.asked.append((name, kind))
        if name in self.silent:
            return
        question = data[12 : at + 5]
        address = self.addresses.get(name)
        family = socket.AF_INET6 if address and ":" in address else socket.AF_INET
        answer = b""
        if address and kind == (AAAA if family == socket.AF_INET6 else A):
            packed = socket.inet_pton(family, address)
            answer = b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(packed)) + packed
        flags = 0x8180 if address else 0x8180 | _NXDOMAIN
        header = data[:2] + struct.pack("!HHHHH", flags, 1, 1 if answer else 0, 0, 0)
        self.transport.sendto(header + question + answer, peer)


@contextlib.asynccontextmanager
async def dns_server(**addresses: str) -> AsyncIterator[DnsServer]:
    """A server that knows `addresses`, whose names get ".test" behind them."""
    loop = asyncio.get_running_loop()
    # Bound here: the loop would look the address up, in libuv's pool.
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind(("127.0.0.1", 0))
    transport, server = await loop.create_datagram_endpoint(DnsServer, sock=listener)
    server.addresses = {f"{name}.test": address for name, address in addresses.items()}
    try:
        yield server
    finally:
        transport.close()
