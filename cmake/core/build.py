"""Keep built gRPC cores, and the sources they come from, in a per-user cache.

    build.py --output FILE --grpc VERSION SHA256 [--uvloop VERSION SHA256] [--flags "..."]
        [--profile] [--grpc-engine]

Builds what is missing and writes FILE, a CMake script that sets
  GRPC_SOURCE_DIR, GRPC_CORE_LIBRARY, GRPC_VENDOR_LIBRARY and UVLOOP_SOURCE_DIR;
  with --grpc-engine also GRPC_ENGINE_LIBRARY, gRPC's own event engine: what the
  same core needs to run without uvgrpc's. The benchmark compares with that.

Layout of the cache ($UVGRPC_CACHE_DIR, $XDG_CACHE_HOME/uvgrpc or ~/.cache/uvgrpc):
  download/ source/           sdists, checked and unpacked
  profile-HASH/               of profiles/, unpacked
  core-KEY/ vendor-KEY/ ...   build tree while it is built, library and marker `complete` afterwards
  *.lock                      held while an entry is made; a second build waits and then finds it done
KEY covers everything that decides the result. An interrupted build goes on
where it stopped, because Ninja finds its finished objects again.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import fetch
import plan
from user_cache import cache_dir

HERE = Path(__file__).resolve().parent
PROFILES = HERE / "profiles"
# An entry that no build asked for in this time is deleted.
KEEP_SECONDS = 60 * 24 * 3600
# The most that one compiler job of a unity batch was seen to take.
JOB_BYTES = 2_000_000_000


@dataclass(frozen=True)
class Compiler:
    cc: str
    cxx: str

    def identity(self) -> str:
        """Differs when the code it generates may; not its path or the name it is called by."""
        text = ""
        for program, language in ((self.cc, "c"), (self.cxx, "c++")):
            macros = subprocess.run(
                [program, "-E", "-dM", "-x", language, os.devnull], capture_output=True, text=True, check=True
            ).stdout
            wanted = (
                "#define __VERSION__ ",
                "#define __clang__ ",
                "#define __x86_64__ ",
                "#define __aarch64__ ",
            )
            text += "\n".join(line for line in sorted(macros.splitlines()) if line.startswith(wanted))
            text += subprocess.run(
                [program, "-dumpmachine"], capture_output=True, text=True, check=True
            ).stdout
        return text

    def system(self) -> str:
        """What it compiles for, as platform.system() names it: Darwin, or else Linux."""
        command = [self.cc, "-E", "-dM", "-x", "c", os.devnull]
        macros = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return "Darwin" if "#define __APPLE__ " in macros else "Linux"

    def profile_path(self) -> Path:
        """Where its profile belongs. GCC reads those of its own version only."""
        version, machine = (
            subprocess.run([self.cxx, option], capture_output=True, text=True, check=False).stdout.strip()
            for option in ("-dumpfullversion", "-dumpmachine")
        )
        return PROFILES / f"gcc-{'.'.join(version.split('.')[:2])}-{machine.split('-')[0]}.tar.xz"

    def profile(self) -> Path | None:
        """Its profile, if there is one."""
        path = self.profile_path()
        return path if path.exists() else None


def key(*parts: str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() + b"\0")
    for name in ("CMakeLists.txt", "usage.cmake"):
        digest.update((HERE / name).read_bytes())
    return digest.hexdigest()[:16]


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"-- another build is making {path.stem}; waiting for it", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def tell(text: str) -> None:
    """Also to the terminal of whoever waits for pip, which keeps what a build prints to itself."""
    print(f"-- {text}", flush=True)
    if not sys.stdout.isatty():
        with contextlib.suppress(OSError), open("/dev/tty", "w") as terminal:
            terminal.write(f"\nuvgrpc: {text}\n")


def jobs() -> int:
    if chosen := os.environ.get("CMAKE_BUILD_PARALLEL_LEVEL"):
        return int(chosen)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    # Not everywhere can a process be kept to some of the cores.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, memory // JOB_BYTES))


def run(command: list[str], environment: dict[str, str]) -> None:
    result = subprocess.run(command, env=environment)
    if result.returncode != 0:
        raise SystemExit(f"error: {' '.join(command[:3])} ... failed with status {result.returncode}")


def forget_other_checkouts(tree: Path) -> None:
    """CMake goes on only with a build that was begun from the same folder; ccache has the rest."""
    cache = tree / "CMakeCache.txt"
    if cache.exists() and f"CMAKE_HOME_DIRECTORY:INTERNAL={HERE}\n" not in cache.read_text():
        shutil.rmtree(tree)


def unpacked(profile: Path, cache: Path) -> Path:
    """The folder with the files of a profile; called by whoever builds with it."""
    folder = cache / f"profile-{hashlib.sha256(profile.read_bytes()).hexdigest()[:16]}"
    with lock(folder.with_name(folder.name + ".lock")), tarfile.open(profile) as archive:
        archive.extractall(folder, filter="data")
        (folder / "complete").touch()
    return folder


def build_part(
    part: str,
    entry: Path,
    source_dir: Path,
    version: str,
    flags: str,
    compiler: Compiler,
    profile: Path | None,
) -> Path:
    library, marker = entry / f"libgrpc_{part}.a", entry / "complete"
    if marker.exists():
        os.utime(marker)
        return library
    with lock(entry.with_name(entry.name + ".lock")):
        if marker.exists():
            return library
        how = f"{flags}, with {profile.name}" if profile else flags
        tell(f"building gRPC {version}, part {part} ({how}), once, in {entry}")
        start = time.monotonic()
        # The flags of the key are the flags of the build, whatever the shell exports.
        environment = {
            k: v for k, v in os.environ.items() if k not in ("CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS")
        } | {"UVGRPC_CORE_SYSTEM": compiler.system()}
        tree = entry / "build"
        forget_other_checkouts(tree)
        settings = {
            "CMAKE_BUILD_TYPE": "",
            "CMAKE_C_COMPILER": compiler.cc,
            "CMAKE_CXX_COMPILER": compiler.cxx,
            "GRPC_SOURCE_DIR": str(source_dir),
            "GRPC_VERSION": version,
            "GRPC_PART": part,
            "GRPC_FLAGS": flags,
            "Python3_EXECUTABLE": sys.executable,
        }
        if profile:
            settings["GRPC_PROFILE_DIR"] = str(unpacked(profile, entry.parent))
        if launcher := shutil.which("ccache"):
            # Paths relative to the cache: a new key, or another cache, finds the same objects.
            environment |= {"CCACHE_BASEDIR": str(entry.parent), "CCACHE_NOHASHDIR": "1"}
            settings |= {f"CMAKE_{language}_COMPILER_LAUNCHER": launcher for language in ("C", "CXX", "ASM")}
        options = [f"-D{name}={value}" for name, value in settings.items()]
        run(
            [
                "cmake",
                "-G",
                "Ninja",
                "-S",
                str(HERE),
                "-B",
                str(tree),
                "--log-level=WARNING",
                "--no-warn-unused-cli",
                *options,
            ],
            environment,
        )
        run(["cmake", "--build", str(tree), "--parallel", str(jobs())], environment)
        os.replace(tree / library.name, library)
        shutil.rmtree(tree)
        marker.write_text(f"{flags}\n")
        tell(f"gRPC {part} is ready after {time.monotonic() - start:.0f} s")
    return library


def forget_unused(cache: Path) -> None:
    for marker in cache.glob("*-*/complete"):
        if time.time() - marker.stat().st_mtime > KEEP_SECONDS:
            shutil.rmtree(marker.parent, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=Path)
    parser.add_argument("--grpc", nargs=2, required=True, metavar=("VERSION", "SHA256"))
    parser.add_argument("--uvloop", nargs=2, metavar=("VERSION", "SHA256"))
    parser.add_argument("--flags", default="-O2")
    parser.add_argument("--cc", default=os.environ.get("CC", "cc"))
    parser.add_argument("--cxx", default=os.environ.get("CXX", "c++"))
    parser.add_argument("--sources-only", action="store_true")
    parser.add_argument("--grpc-engine", action="store_true")
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()

    cache = cache_dir()
    version, digest = arguments.grpc
    results: dict[str, Path] = {}
    try:
        with lock(cache / "source.lock"):
            results["GRPC_SOURCE_DIR"] = fetch.source("grpcio", version, digest, cache)
            if arguments.uvloop:
                uvloop_version, uvloop_digest = arguments.uvloop
                results["UVLOOP_SOURCE_DIR"] = fetch.source("uvloop", uvloop_version, uvloop_digest, cache)
    except fetch.FetchError as error:
        raise SystemExit(f"error: {error}") from None
    if not arguments.sources_only:
        compiler = Compiler(arguments.cc, arguments.cxx)
        identity = compiler.identity()
        system = compiler.system()
        parts = plan.make_plan(results["GRPC_SOURCE_DIR"], system)
        # The vendor part holds no inlined abseil, so one plain copy serves every sanitizer.
        wanted = {"vendor": "-O2", "core": arguments.flags}
        if arguments.grpc_engine:
            wanted["engine"] = arguments.flags
        if system == "Darwin":
            # usage.cmake names c-ares' configuration for Linux; this one is found before it.
            wanted["core"] += f" -iquote {results['GRPC_SOURCE_DIR']}/third_party/cares/config_darwin"
        profile = compiler.profile() if arguments.profile else None
        for part, flags in wanted.items():
            used = profile if part == "core" else None
            decides = [digest, flags, identity, plan.describe(parts[part])]
            if used:
                decides.append(hashlib.sha256(used.read_bytes()).hexdigest())
            entry = cache / f"{part}-{key(*decides)}"
            library = build_part(part, entry, results["GRPC_SOURCE_DIR"], version, flags, compiler, used)
            results[f"GRPC_{part.upper()}_LIBRARY"] = library
        forget_unused(cache)
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text("".join(f'set({name} "{path}")\n' for name, path in results.items()))


if __name__ == "__main__":
    main()
