# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Compiles for macOS on arm64 what would be compiled there (`make check-macos`): check_macos.py [PART...]

The parts are `engine` (what is under src/ but the bindings), `bindings` (with what Cython makes of _core.pyx)
and `core` (gRPC's, as cmake/core/plan.py has it for that system); all of them by default. Nothing is linked,
and nothing can be run: this finds what the headers of the system lack, no more. Python's headers are those of
this machine.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from platforms import ROOT, WORK, zig_compilers

sys.path.insert(0, str(ROOT / "cmake" / "core"))
import build
import fetch

TARGET = "aarch64-macos"
FOLDER = WORK / "macos"
PARTS = ("engine", "bindings", "core")


def sources() -> tuple[Path, Path]:
    """gRPC's and uvloop's, from the cache."""
    pinned = fetch.pins()
    output = FOLDER / "sources.cmake"
    command = [sys.executable, ROOT / "cmake" / "core" / "build.py", "--sources-only", "--output", output]
    for option, name in (("--grpc", "GRPC"), ("--uvloop", "UVLOOP")):
        command += [option, pinned[f"{name}_VERSION"], pinned[f"{name}_SHA256"]]
    subprocess.run(command, check=True)
    paths = dict(re.findall(r'set\((\w+) "([^"]+)"\)', output.read_text()))
    return Path(paths["GRPC_SOURCE_DIR"]), Path(paths["UVLOOP_SOURCE_DIR"])


def usage(grpc: Path) -> list[str]:
    """Options from usage.cmake, with c-ares' configuration for this system before all others."""
    script = FOLDER / "usage_options.cmake"
    script.write_text(
        f'set(GRPC_SOURCE_DIR "{grpc}")\nset(GRPC_VERSION "{fetch.pins()["GRPC_VERSION"]}")\n'
        f'include("{ROOT}/cmake/core/usage.cmake")\n'
        "foreach(each IN LISTS GRPC_CORE_INCLUDES)\n  message(NOTICE -I${each})\nendforeach()\n"
        "foreach(each IN LISTS GRPC_CORE_DEFINITIONS)\n  message(NOTICE -D${each})\nendforeach()\n"
    )
    said = subprocess.run(["cmake", "-P", script], capture_output=True, text=True, check=True).stderr
    return ["-iquote", f"{grpc}/third_party/cares/config_darwin", *said.split("\n")[:-1]]


def own(folders: Iterator[Path]) -> list[Path]:
    """The sources that their CMakeLists.txt names."""
    found = []
    for folder in folders:
        text = (folder / "CMakeLists.txt").read_text()
        found += [folder / name for name in re.findall(r"^  ([\w/]+\.cc)$", text, re.MULTILINE)]
    return found


def cython() -> Path:
    generated = FOLDER / "_core.cc"
    command = [sys.executable, "-m", "cython", "--cplus", "-3", "--module-name", "uvgrpc._core", "-I", "."]
    subprocess.run([*command, "-o", generated, "src/bindings/_core.pyx"], cwd=ROOT, check=True)
    return generated


def core(grpc: Path) -> list[Path]:
    """Of both libraries, as cmake/core/CMakeLists.txt compiles them."""
    environment = {**os.environ, "UVGRPC_CORE_SYSTEM": "Darwin"}
    output = FOLDER / "core"
    command = [sys.executable, ROOT / "cmake" / "core" / "plan.py", grpc, output]
    output.mkdir(exist_ok=True)
    subprocess.run(command, env=environment, check=True)
    lists = (output / "plan.cmake").read_text().split("set(")
    wanted = (part for part in lists if part.startswith(("CORE", "VENDOR")))
    return [Path(name) for part in wanted for name in re.findall('"(.+)"', part)]


def main() -> None:
    wanted = sys.argv[1:] or PARTS
    FOLDER.mkdir(parents=True, exist_ok=True)
    cc, cxx = zig_compilers(TARGET)
    grpc, uvloop = sources()
    options = [*usage(grpc), f"-I{ROOT}", f"-I{uvloop}/vendor/libuv/include", "-w", "-O1", "-c"]
    options += ["-ffunction-sections", "-fvisibility=hidden"]
    python = ["-I" + sysconfig.get_path("include")]
    units: list[tuple[Path, list[str]]] = []
    if "engine" in wanted:
        names = ("memory", "filters", "inproc", "iomgr_uv")
        units += [(path, ["-fno-exceptions"]) for path in own(ROOT / "src" / name for name in names)]
    if "bindings" in wanted:
        units += [(path, python) for path in [*own(iter([ROOT / "src" / "bindings"])), cython()]]
    if "core" in wanted:
        units += [(path, ["-fno-exceptions"]) for path in core(grpc)]
    launcher = [shutil.which("ccache")] if shutil.which("ccache") else []
    failures = []

    with tempfile.TemporaryDirectory() as temporary:

        def compile_one(number: int) -> str:
            path, more = units[number]
            is_cxx = path.suffix in (".cc", ".cpp")
            compiler = [cxx, "-std=c++17", "-fvisibility-inlines-hidden"] if is_cxx else [cc]
            more = more if is_cxx else []
            command = [*launcher, *compiler, *more, *options, "-o", f"{temporary}/{number}.o", str(path)]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0:
                failures.append(path)
                return f"{path}:\n" + "\n".join(done.stderr.splitlines()[:20])
            return ""

        start = time.monotonic()
        with ThreadPoolExecutor(build.jobs()) as pool:
            for complaint in pool.map(compile_one, range(len(units))):
                if complaint:
                    print(complaint, flush=True)
    minutes = (time.monotonic() - start) / 60
    count = f"{len(units) - len(failures)} of {len(units)}"
    print(f"{TARGET}: {count} files compiled ({', '.join(wanted)}), {minutes:.1f} min")
    raise SystemExit(bool(failures) or not units)


if __name__ == "__main__":
    main()
