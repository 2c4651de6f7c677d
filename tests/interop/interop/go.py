# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Builds and runs the Go program, which is grpc-go's server and client of the cases."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc

_SOURCE = Path(__file__).parents[1] / "go"
_BINARY = Path(__file__).parents[3] / "build" / "interop" / "interop"
_BUILD_LIMIT = 300.0

# The name that the server's certificate is for.
SERVER_NAME = "interop.test.example"


class Certificates:
    """An authority and a server's certificate that it has signed.

    Attributes:
      ca, server, key: the files.
      channel_credentials, server_credentials: grpcio's objects made of them.
    """

    def __init__(self, folder: Path) -> None:
        self.ca, self.server, self.key = (folder / name for name in ("ca.pem", "server.pem", "server.key"))
        self.channel_credentials = grpc.ssl_channel_credentials(self.ca.read_bytes())
        self.server_credentials = grpc.ssl_server_credentials(
            [(self.key.read_bytes(), self.server.read_bytes())]
        )


def build() -> Path:
    """Builds the program, unless Go's own cache says that nothing has changed."""
    # Nothing of it needs a C compiler.
    environment = {**os.environ, "CGO_ENABLED": "0"}
    command = ["go", "build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-o", str(_BINARY), "."]
    done = subprocess.run(
        command, cwd=_SOURCE, env=environment, capture_output=True, text=True, timeout=_BUILD_LIMIT
    )
    assert done.returncode == 0, done.stderr
    return _BINARY


def make_certificates(program: Path, folder: Path) -> Certificates:
    subprocess.run([program, "certificates", "-folder", folder], check=True, timeout=30)
    return Certificates(folder)


@contextlib.contextmanager
def serving(program: Path, certificates: Certificates | None) -> Iterator[int]:
    """A server in Go. Gives its port.

    Args:
      certificates: None for a server without TLS.
    """
    command = [program, "serve"]
    if certificates:
        command += ["-cert", certificates.server, "-key", certificates.key]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            # The end of its input tells it to stop.
            process.stdin.close()
            assert process.wait(30) == 0


@dataclass(frozen=True)
class Result:
    """How a client in Go ended."""

    returncode: int
    out: str
    err: str


async def call(
    program: Path,
    case: str,
    port: int,
    certificates: Certificates | None,
    *,
    server_sees_flags: bool = True,
) -> Result:
    """Runs a case as a client in Go.

    Args:
      case: its name.
      port: the server's.
      certificates: None for a client without TLS.
      server_sees_flags: whether the server checks which messages come compressed.
    """
    command = [program, "call", "-port", str(port), f"-flags={str(server_sees_flags).lower()}"]
    if certificates:
        command += ["-ca", certificates.ca, "-name", SERVER_NAME]
    process = await asyncio.create_subprocess_exec(
        *command, case, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        out, err = await process.communicate()
    finally:
        if process.returncode is None:  # the test was cancelled
            process.kill()
            await process.communicate()
    assert process.returncode is not None
    return Result(process.returncode, out.decode(), err.decode())
