# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What a wheel is compiled with, by its platform's tag."""

from __future__ import annotations

import importlib.util
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

import sysroot

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "build" / "wheels"


@dataclass(frozen=True)
class Platform:
    """How to build for one.

    Attributes:
      machine: as the ABI tags of extension modules have it: x86_64-linux-gnu.
      debian: Debian's name of the architecture whose old C library is linked against; else None.
      zig: the target for zig, where it is the compiler; else None.
    """

    tag: str
    machine: str
    debian: str | None = None
    zig: str | None = None

    @property
    def is_foreign(self) -> bool:
        """Whether what is built cannot run here."""
        return not self.machine.startswith(os.uname().machine) or self.zig is not None

    def compilers(self) -> tuple[str, str]:
        """For C and C++."""
        if self.zig is not None:
            return zig_compilers(self.zig)
        prefix = "" if self.machine.startswith(os.uname().machine) else f"{self.machine}-"
        for name in (f"{prefix}gcc", f"{prefix}g++"):
            if shutil.which(name) is None:
                raise SystemExit(f"error: {name} is missing (Debian's package: g++-{self.machine})")
        return f"{prefix}gcc", f"{prefix}g++"

    def defines(self) -> dict[str, str]:
        """For CMake."""
        if self.debian is not None:
            return {"UVGRPC_GLIBC_SYSROOT": str(sysroot.make(self.debian, WORK))}
        # zig's linker strips; it does so for every machine.
        return {"CMAKE_SHARED_LINKER_FLAGS": "-s", "CMAKE_MODULE_LINKER_FLAGS": "-s"}


PLATFORMS = {
    platform.tag: platform
    for platform in (
        # GCC with the profile that the core has, and an older C library to link against.
        Platform("manylinux_2_28_x86_64", "x86_64-linux-gnu", debian="amd64"),
        # Not built yet: those that follow.
        Platform("manylinux_2_28_aarch64", "aarch64-linux-gnu", debian="arm64"),
        Platform("musllinux_1_2_x86_64", "x86_64-linux-musl", zig="x86_64-linux-musl"),
        Platform("musllinux_1_2_aarch64", "aarch64-linux-musl", zig="aarch64-linux-musl"),
    )
}

# CMake takes archivers from where the compiler is; build.py of cmake/core asks for the machine and for
# GCC's version, for which zig has no answer.
_COMPILER = """\
#!/bin/sh
case "$*" in
  -dumpmachine) echo {target}; exit 0 ;;
  -dumpfullversion) exit 1 ;;
esac
exec {zig} {command} -target {target} -fno-sanitize=undefined "$@"
"""
_TOOL = """\
#!/bin/sh
exec {zig} {command} "$@"
"""


def zig_compilers(target: str) -> tuple[str, str]:
    """Programs that call zig as compilers for `target`."""
    found = importlib.util.find_spec("ziglang")
    if found is None or found.origin is None:
        raise SystemExit("error: there is no zig: pip install -r third_party/wheels.txt")
    zig = Path(found.origin).with_name("zig")
    folder = WORK / "zig" / target
    folder.mkdir(parents=True, exist_ok=True)
    programs = {
        # ccache knows clang by its name.
        "zig-clang": (_COMPILER, "cc"),
        "zig-clang++": (_COMPILER, "c++"),
        "ar": (_TOOL, "ar"),
        "llvm-ar": (_TOOL, "ar"),
        "ranlib": (_TOOL, "ranlib"),
        "llvm-ranlib": (_TOOL, "ranlib"),
    }
    for name, (text, command) in programs.items():
        path, script = folder / name, text.format(zig=zig, command=command, target=target)
        # ccache takes another time stamp for another compiler.
        if not path.exists() or path.read_text() != script:
            path.write_text(script)
            path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return str(folder / "zig-clang"), str(folder / "zig-clang++")
