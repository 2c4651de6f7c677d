# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The peers, and for each a compiled program or an interpreter with the packages it is pinned to.

requirements/NAME.in names what a peer in Python is made of; NAME.txt, compiled from it, everything
that comes along, with hashes. Those in Go, Rust and JavaScript have their go.sum, Cargo.lock and
package-lock.json.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from harness.errors import BenchError, NotHere

BENCH = Path(__file__).resolve().parent.parent
sys.path.append(str(BENCH.parent / "cmake" / "core"))
from user_cache import cache_dir  # noqa: E402

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
    base: bool = False  # another build of the project, found before the interpreter's own
    # The program is a folder that this builds, or a target of the project's own build.
    compiled: Literal["", "cmake", "cargo", "go", "npm", "project"] = ""
    binary: str = ""  # of a folder with several: which


PEERS = (
    Peer("uvgrpc", "uvgrpc on uvloop", "uvgrpc_on_uvloop.py", "grpc_aio", subject=True),
    Peer("uvgrpc-base", "uvgrpc, base build", "uvgrpc_on_uvloop.py", "grpc_aio", base=True),
    Peer("uvgrpc-own", "uvgrpc's own API", "uvgrpc_own_api.py", "grpc_aio", subject=True),
    Peer("aio-uvloop", "grpc.aio on uvloop", "grpc_aio_on_uvloop.py", "grpc_aio"),
    Peer("aio-asyncio", "grpc.aio on asyncio", "grpc_aio_on_asyncio.py", "grpc_aio"),
    Peer("threads", "grpc on threads", "grpc_on_threads.py", "grpc_aio"),
    Peer("gevent", "grpc on gevent", "grpc_on_gevent.py", "gevent"),
    Peer("grpclib", "grpclib on uvloop", "grpclib_on_uvloop.py", "grpclib"),
    Peer("grpclib-asyncio", "grpclib on asyncio", "grpclib_on_asyncio.py", "grpclib"),
    Peer("floor", "floor: no Python", "floor", "", compiled="project"),
    Peer("capi", "gRPC's C API and engine", "capi", "", compiled="project"),
    Peer("grpcpp", "grpc++, callback API", "grpcpp", "", compiled="cmake", binary="grpcpp_callback"),
    Peer("grpcpp-cq", "grpc++, completion queue", "grpcpp", "", compiled="cmake", binary="grpcpp_cq"),
    Peer("tonic", "tonic, one thread", "tonic", "", compiled="cargo"),
    Peer("grpc-go", "grpc-go, one processor", "grpc_go", "", compiled="go"),
    Peer("grpc-js", "grpc-js", "grpc_js", "", compiled="npm"),
)
SUBJECT, BASE, OWN_API, BASELINE = PEERS[:4]
OTHER_SIDES = ("tonic", "grpc-go")  # of a real connection


def peer_named(name: str) -> Peer:
    for peer in PEERS:
        if peer.name == name:
            return peer
    raise BenchError(f"no peer {name!r}; there are: {', '.join(peer.name for peer in PEERS)}")


def runner(peer: Peer, base: Path | None = None) -> list[str]:
    """What the peer's command line begins with; builds or installs what it has to."""
    if peer.compiled:
        return build(peer)
    return [interpreter(peer, base), str(PROGRAMS / peer.program)]


def build(peer: Peer) -> list[str]:
    """The compiled program."""
    if peer.compiled == "project":
        return [_build_target(peer)]
    source, folder = PROGRAMS / peer.program, BUILD / peer.program
    program = folder / (peer.binary or peer.program)
    if peer.compiled == "cmake":
        _build(peer, ["cmake", "-S", str(source), "-B", str(folder), "-DCMAKE_BUILD_TYPE=Release"])
        _build(peer, ["cmake", "--build", str(folder), "--target", program.name])
    elif peer.compiled == "cargo":
        # Seven minutes of crates, which the next clone need not compile again.
        target = cache_dir() / "bench" / peer.program
        _build(peer, ["cargo", "build", "--release", "--locked", "--target-dir", str(target)])
        program = folder / f"{peer.program}_peer"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy2(target / "release" / program.name, program)
    elif peer.compiled == "go":
        _build(peer, ["go", "build", "-mod=readonly", "-o", str(program), "."])
    else:
        return ["node", str(_install_node_packages(peer) / "main.js")]
    return [str(program)]


def _install_node_packages(peer: Peer) -> Path:
    """A copy of the program beside the packages that its package-lock.json pins."""
    lock = (PROGRAMS / peer.program / "package-lock.json").read_bytes()
    folder = BUILD / f"{peer.program}-{hashlib.sha256(lock).hexdigest()[:12]}"
    shutil.copytree(PROGRAMS / peer.program, folder, dirs_exist_ok=True)
    shutil.copy(PROGRAMS / "bench.proto", folder)
    if not (folder / "complete").exists():
        _build(peer, ["npm", "ci", "--ignore-scripts", "--prefix", str(folder)])
        (folder / "complete").touch()
    if shutil.which("node") is None:
        raise NotHere("node is not in PATH")
    return folder


def _build_target(peer: Peer) -> str:
    """Of the project: with its engine, its core and its flags."""
    folder = BUILD / "project"
    options = {
        "CMAKE_BUILD_TYPE": "Release",
        "UVGRPC_EXTENSION": "OFF",
        "UVGRPC_BENCH_FLOOR": "ON",
        "Python3_EXECUTABLE": sys.executable,
    }
    settings = [f"-D{name}={value}" for name, value in options.items()]
    _build(peer, ["cmake", "-S", str(BENCH.parent), "-B", str(folder), *settings], BENCH)
    _build(peer, ["cmake", "--build", str(folder), "--target", peer.program], BENCH)
    return str(folder / peer.program)


def _build(peer: Peer, command: list[str], folder: Path | None = None) -> None:
    print(f"building {peer.title}: {' '.join(command[:2])}", file=sys.stderr, flush=True)
    try:
        done = subprocess.run(
            command,
            cwd=folder or PROGRAMS / peer.program,
            capture_output=True,
            text=True,
            timeout=INSTALL_TIMEOUT,
            env={
                **os.environ,
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            },
        )
    except FileNotFoundError:
        raise NotHere(f"{command[0]} is not in PATH") from None
    except subprocess.TimeoutExpired:
        raise NotHere(f"peers/{peer.program} was not built in {INSTALL_TIMEOUT:.0f} s") from None
    if done.returncode != 0:
        print((done.stderr or done.stdout).strip()[-2000:], file=sys.stderr, flush=True)
        raise NotHere(f"peers/{peer.program} does not build; README.md names what it needs")


def interpreter(peer: Peer, base: Path | None) -> str:
    """A Python that can run the peer; makes a virtual environment if it has to."""
    if peer.subject:
        _find_uvgrpc(None)
        return sys.executable
    if peer.base:
        if base is None:
            raise BenchError(f"{peer.name} is the build that --base names")
        found, own = _find_uvgrpc(base), _find_uvgrpc(None)
        if found == own or base.resolve() not in found.parents:
            raise BenchError(f"--base {base} holds no package uvgrpc: {found} was imported")
        print(f"{peer.name} is {found}, {SUBJECT.name} is {own}", file=sys.stderr, flush=True)
        return sys.executable
    return interpreter_with(peer.requirements)


def python_path(*folders: Path | None) -> str:
    """A PYTHONPATH with these before what it has."""
    return os.pathsep.join(filter(None, (*(str(f) for f in folders if f), os.environ.get("PYTHONPATH"))))


def _find_uvgrpc(base: Path | None) -> Path:
    """The extension that the running interpreter imports, from `base` if it is there."""
    check = subprocess.run(
        [sys.executable, "-P", "-c", "import uvgrpc.aio, uvgrpc._core; print(uvgrpc._core.__file__)"],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": python_path(base)},
    )
    if check.returncode != 0:
        reason = check.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise NotHere(f"import uvgrpc.aio in the running interpreter: {reason[0]}")
    return Path(check.stdout.strip()).resolve()


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
