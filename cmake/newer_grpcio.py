# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What moves with another grpcio than the pinned one: that of third_party/newer.cmake, or of `VERSION=...`.

Nothing of core is compiled. From the source distributions of both: what cmake/core/plan.py makes of their
lists of sources, whether cmake/core/patches.py fits, experiments and their defaults. From their wheels: names
and signatures of grpc, of grpc.aio with the classes behind it, and of the extension that both stand on.
"""

from __future__ import annotations

import difflib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "core"))
import build
import fetch
import patches
import plan
from user_cache import cache_dir

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "build" / "newer-grpcio"
BEHIND = ("base_call", "base_channel", "base_server", "call", "channel", "interceptor", "server")
MODULES = ("grpc", "grpc.aio", "grpc._cython.cygrpc", *(f"grpc.aio._{name}" for name in BEHIND))
DUNDERS = {"__aiter__", "__await__", "__call__", "__init__"}
# Of a source that was not there before: what step 4 of third_party/README.md looks for.
THREADS = re.compile(r"\bpthread_create\b|\bstd::thread\b|\bThread\(|\bpoll\(|\bepoll_|\bgetaddrinfo\(")

SHOWN = 40  # that have changed, by name; of more, the number is enough


def other(version: str) -> tuple[str, Path]:
    """The hash and the sources of one that no file pins."""
    folder = WORK / "download"
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / f"grpcio-{version}.tar.gz"
    if not archive.exists():
        try:
            archive = fetch.from_index("grpcio", version, folder)
        except fetch.FetchError as problem:
            raise SystemExit(f"error: {problem}") from None
    digest = fetch.sha256(archive)
    return digest, fetch.unpack(archive, digest, WORK / "source")


def report(title: str, old: set[str], new: set[str]) -> None:
    """What is in one of them only."""
    print(f"\n{title}: {len(old)} -> {len(new)}, {len(new - old)} new, {len(old - new)} gone")
    for sign, names in (("+", new - old), ("-", old - new)):
        for name in sorted(names):
            print(f"  {sign} {name}")


def compare_sources(old: Path, new: Path) -> None:
    plans = [plan.make_plan(folder, "Linux") for folder in (old, new)]
    for part in plans[0]:
        before, after = ({source for unit in one[part] for source in unit.sources} for one in plans)
        report(f"Sources of {part}", before, after)
        changed = [name for name in before & after if (old / name).read_bytes() != (new / name).read_bytes()]
        print(f"  of those that stay, {len(changed)} have changed")
        for name in sorted(changed) if len(changed) <= SHOWN else ():
            print(f"  ~ {name}")
        for name in sorted(after - before):
            found = THREADS.findall((new / name).read_text(errors="replace"))
            if found and part != "engine":
                print(f"  ! {name} has {', '.join(sorted(set(found)))}: see LEFT_OUT and ENGINE of plan.py")
    lists = [set(plan.load_lists(folder)[0]) for folder in (old, new)]
    for name in ("APART", "PRIVATE_NAMES"):
        for row in getattr(plan, name):
            matches = [sum(1 for source in sources if re.search(row, source)) for sources in lists]
            if matches[0] != matches[1]:
                text = row if isinstance(row, str) else row.pattern
                print(f"  ! {name}, row {text}: {matches[0]} -> {matches[1]} sources")


def compare_usage(old: Path, new: Path) -> None:
    text = (ROOT / "cmake" / "core" / "usage.cmake").read_text()
    folders = re.search(r"ITEMS(.*?)\)", text, re.DOTALL)[1].split()  # type: ignore[index]
    gone = [name for name in folders if not (new / name).is_dir()]
    print(f"\nFolders of headers of usage.cmake: {len(folders) - len(gone)} of {len(folders)} there", *gone)
    # Its macros and options; its sources are in the lists above.
    lines = [(folder / "setup.py").read_text().splitlines() for folder in (old, new)]
    moved = [line for line in difflib.ndiff(*lines) if line.startswith(("+ ", "- "))]
    print(f"setup.py: {len(moved)} lines differ")
    for line in moved:
        print(f"  {line}")


def compare_patches(new: Path) -> bool:
    print("\nPatches of core")
    good = True
    for source, replacements in patches.PATCHES.items():
        path = new / source
        text = path.read_text() if path.exists() else ""
        misfits = [old for old, _ in replacements if text.count(old) != 1]
        good = good and not misfits
        print(f"  {source}: {len(replacements) - len(misfits)} of {len(replacements)} fit")
        for misfit in misfits:
            print("".join(f"    ! {line}\n" for line in misfit.splitlines()), end="")
    return good


def experiments(folder: Path) -> dict[str, str]:
    """With their defaults on Linux: the last of three lists."""
    text = (folder / "src/core/lib/experiments/experiments.cc").read_text()
    entries = text.rpartition("g_experiment_metadata[] = {")[2]
    pattern = r'\{"(\w+)",[^{}]*?\b(\w+),\s*(?:true|false)\}'
    return {name: default for name, default in re.findall(pattern, entries)}


def compare_experiments(old: Path, new: Path) -> None:
    before, after = experiments(old), experiments(new)
    if not before or not after:
        raise SystemExit("error: experiments.cc is not as it was")
    report("Experiments", *({f"{name} = {on}" for name, on in one.items()} for one in (before, after)))


def installed(version: str) -> Path:
    folder = WORK / f"grpcio-{version}-{sys.version_info[0]}.{sys.version_info[1]}"
    if not folder.exists():
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary", ":all:", "--no-deps"]
        subprocess.run([*command, "--target", partial, f"grpcio=={version}"], check=True)
        partial.rename(folder)
    return folder


def members() -> Iterator[str]:
    """Every name of MODULES, with its signature if it tells one: a line each."""
    import inspect

    def shown(path: str, thing: object) -> str:
        try:
            # Not where objects are.
            return path + re.sub(r" at 0x\w+", "", str(inspect.signature(thing)))  # type: ignore[arg-type]
        except (TypeError, ValueError):
            return path

    for module in MODULES:
        if importlib.util.find_spec(module) is None:
            continue
        loaded = importlib.import_module(module)
        for name, thing in vars(loaded).items():
            if name.startswith("__") or inspect.ismodule(thing):
                continue
            is_own = getattr(thing, "__module__", module) in (module, None)
            yield shown(f"{module}.{name}", thing) if is_own else f"{module}.{name}"
            if inspect.isclass(thing) and is_own:
                for member, value in vars(thing).items():
                    if not member.startswith("__") or member in DUNDERS:
                        yield shown(f"{module}.{name}.{member}", value)


def interface(version: str) -> set[str]:
    environment = {**os.environ, "PYTHONPATH": str(installed(version))}
    command = [sys.executable, Path(__file__).resolve(), "--members"]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    return set(json.loads(said))


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit("usage: make newer-grpcio, or make newer-grpcio VERSION=1.86.0")
    if sys.argv[1] == "--members":
        print(json.dumps(sorted(set(members()))))
        return
    pinned = fetch.pins()
    version, digest = pinned["GRPC_VERSION"], pinned["GRPC_SHA256"]
    with build.lock(cache_dir() / "source.lock"):
        old = fetch.source("grpcio", version, digest, cache_dir())
    new_version = sys.argv[1] or pinned["NEWER_GRPC_VERSION"]
    if new_version == pinned["NEWER_GRPC_VERSION"]:
        new_digest = pinned["NEWER_GRPC_SHA256"]
        new = fetch.source("grpcio", new_version, new_digest, WORK)
    else:
        new_digest, new = other(new_version)
    print(f"grpcio {version} (pinned) -> {new_version}")
    compare_sources(old, new)
    compare_usage(old, new)
    fits = compare_patches(new)
    compare_experiments(old, new)
    report("Names and signatures", interface(version), interface(new_version))
    print(f"\nFor third_party/grpc.cmake:\nset(GRPC_VERSION {new_version})\nset(GRPC_SHA256 {new_digest})")
    if not fits:
        raise SystemExit("error: not all patches fit")


if __name__ == "__main__":
    main()
