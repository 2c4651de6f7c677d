# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The peers, and for each a compiled program or an interpreter with the packages it is pinned to.

requirements/NAME.in names what a peer is made of; NAME.txt, compiled from it, everything that
comes along, with hashes.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from harness.errors import BenchError, NotHere

BENCH = Path(__file__).resolve().parent.parent
PROGRAMS = BENCH / "peers"
REQUIREMENTS = PROGRAMS / "requirements"
BUILD = BENCH / ".build"
INSTALL_TIMEOUT = 600.0


@dataclass(frozen=True)
class Peer:
    name: str
    title: str
    program: str
    requirements: str
    subject: bool = False  # the project itself: taken from the running interpreter
    compiled: bool = False  # the program is a folder with a CMakeLists.txt, which makes a server only


PEERS = (
    Peer("uvgrpc", "uvgrpc on uvloop", "uvgrpc_on_uvloop.py", "grpc_aio", subject=True),
    Peer("aio-uvloop", "grpc.aio on uvloop", "grpc_aio_on_uvloop.py", "grpc_aio"),
    Peer("aio-asyncio", "grpc.aio on asyncio", "grpc_aio_on_asyncio.py", "grpc_aio"),
    Peer("threads", "grpc on threads", "grpc_on_threads.py", "grpc_aio"),
    Peer("gevent", "grpc on gevent", "grpc_on_gevent.py", "gevent"),
    Peer("grpclib", "grpclib on uvloop", "grpclib_on_uvloop.py", "grpclib"),
    Peer("grpcpp", "grpc++, callback API", "grpcpp_callback", "", compiled=True),
)
SUBJECT = PEERS[0]
BASELINE = PEERS[1]


def peer_named(name: str) -> Peer:
    for peer in PEERS:
        if peer.name == name:
            return peer
    raise BenchError(f"no peer {name!r}; there are: {', '.join(peer.name for peer in PEERS)}")


def runner(peer: Peer) -> list[str]:
    """What the peer's command line begins with; builds or installs what it has to."""
    if peer.compiled:
        return [build(peer)]
    return [interpreter(peer), str(PROGRAMS / peer.program)]


def build(peer: Peer) -> str:
    """The compiled program, made by the distribution's compiler and libraries."""
    folder = BUILD / peer.program
    for command in (
        ["cmake", "-S", str(PROGRAMS / peer.program), "-B", str(folder), "-DCMAKE_BUILD_TYPE=Release"],
        ["cmake", "--build", str(folder)],
    ):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_TIMEOUT)
        except FileNotFoundError:
            raise NotHere("cmake is not in PATH") from None
        if done.returncode != 0:
            print((done.stderr or done.stdout).strip()[-2000:], file=sys.stderr, flush=True)
            raise NotHere(f"peers/{peer.program} does not build; README.md names the packages that it needs")
    return str(folder / peer.program)


def interpreter(peer: Peer) -> str:
    """A Python that can run the peer; makes a virtual environment if it has to."""
    if peer.subject:
        check = subprocess.run(
            [sys.executable, "-c", "import uvgrpc.aio"], capture_output=True, text=True, timeout=60
        )
        if check.returncode != 0:
            reason = check.stderr.strip().splitlines()[-1:] or ["no reason given"]
            raise NotHere(f"import uvgrpc.aio in the running interpreter: {reason[0]}")
        return sys.executable
    return interpreter_with(peer.requirements)


def interpreter_with(requirements: str) -> str:
    """The running Python if it has just these versions, else a cached environment of its own."""
    wanted = (REQUIREMENTS / f"{requirements}.in").read_text().split()
    if all(_has(*line.split("==")) for line in wanted):
        return sys.executable
    file = REQUIREMENTS / f"{requirements}.txt"
    key = hashlib.sha256(sys.version.encode() + file.read_bytes()).hexdigest()[:12]
    folder = BUILD / "venvs" / f"{file.stem}-{key}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        print(f"making an environment with {file.name}, once", file=sys.stderr, flush=True)
        venv.create(folder, with_pip=True, clear=True)
        install = [
            str(python),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--require-hashes",
            "-r",
            str(file),
        ]
        done = subprocess.run(install, capture_output=True, text=True, timeout=INSTALL_TIMEOUT)
        if done.returncode != 0:
            raise NotHere(f"pip could not install {file.name}: {done.stderr.strip()[-500:]}")
        (folder / "complete").touch()
    return str(python)


def _has(name: str, version: str) -> bool:
    try:
        return metadata.version(name) == version
    except metadata.PackageNotFoundError:
        return False
