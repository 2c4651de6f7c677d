# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Builds wheels for distribution, checks them and tries them out (`make wheels`).

    make.py --pythons python3.11 python3.12 ... --platforms manylinux_2_28_x86_64 ...

Each ends in dist/, has the licences and the list of what is linked in (cmake/inventory.py), and
  - exports PyInit__core and nothing else;
  - is no larger than 8 MB;
  - keeps to its platform, by auditwheel;
  - is installed in an environment of its own where there is no compiler, and works there (tests/wheels.py),
    if it can run here.
The same commit gives the same bytes: dates are SOURCE_DATE_EPOCH, the commit's by default.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

from platforms import PLATFORMS, ROOT, WORK, Platform

DIST = ROOT / "dist"
LARGEST = 8_000_000


def run(*command: str | Path, **more: object) -> str:
    """Its output; what failed is shown."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)  # type: ignore[call-overload]
    if done.returncode != 0:
        print("\n".join(done.stdout.splitlines()[-60:]))
        raise SystemExit(f"error: {' '.join(map(str, command[:4]))} ... ended with {done.returncode}")
    return str(done.stdout)


def epoch() -> str:
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return given
    if (ROOT / ".git").exists():
        return run("git", "log", "-1", "--format=%ct", cwd=ROOT).strip()
    # Of a source distribution: its metadata's.
    return str(int((ROOT / "pyproject.toml").stat().st_mtime))


def version_of(interpreter: str) -> str | None:
    """As in names of environments: 3.13, 3.14t; None if there is no such interpreter."""
    if shutil.which(interpreter) is None:
        return None
    code = "import sys; print('%d.%d%s' % (*sys.version_info[:2], sys.abiflags))"
    done = subprocess.run([interpreter, "-c", code], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


def environment_of(interpreter: str, version: str) -> Path:
    """An environment with what builds uvgrpc."""
    pins = ROOT / "third_party" / "build.txt"
    folder = WORK / f"venv-{version}"
    ready = folder / ".ready"
    if not ready.exists() or ready.stat().st_mtime < pins.stat().st_mtime:
        shutil.rmtree(folder, ignore_errors=True)
        run(interpreter, "-m", "venv", folder)
        run(folder / "bin/pip", "install", "--require-hashes", "--only-binary", ":all:", "-r", pins)
        ready.touch()
    return folder


def build(platform: Platform, venv: Path, version: str, timestamp: str) -> Path:
    """A wheel, with the tag of this machine."""
    cc, cxx = platform.compilers()
    folder = WORK / f"{platform.tag}-{version}"
    environment = {
        **os.environ,
        "PATH": f"{venv / 'bin'}:{os.environ['PATH']}",
        "CC": cc,
        "CXX": cxx,
        # Where it was built is nobody's business.
        "CFLAGS": f"-ffile-prefix-map={ROOT}=.",
        "CXXFLAGS": f"-ffile-prefix-map={ROOT}=.",
        # ccache would make paths relative, to a folder that its settings name.
        "CCACHE_BASEDIR": "",
        "SOURCE_DATE_EPOCH": timestamp,
    }
    python = venv / "bin" / "python"
    # The core first, with its progress visible: it may take a while.
    core = ["cmake", f"-DPython3_EXECUTABLE={python}", "-P", str(ROOT / "cmake" / "build_core.cmake")]
    subprocess.run(core, env=environment, check=True)
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    settings = {f"cmake.define.{name}": value for name, value in platform.defines().items()}
    settings |= {"build-dir": str(folder / "cmake")}
    if platform.zig is not None or platform.is_foreign:
        settings["install.strip"] = "false"
    command = [python, "-m", "pip", "wheel", "--verbose", "--no-build-isolation", "--no-deps", "-w", out]
    command += [part for name, value in settings.items() for part in ("-C", f"{name}={value}")]
    run(*command, ROOT, env=environment)
    (wheel,) = out.glob("*.whl")
    return wheel


def finish(wheel: Path, platform: Platform, timestamp: str) -> Path:
    """The wheel with the tag of its platform, packed so that the same content gives the same bytes."""
    name, version, python, abi, _ = wheel.stem.split("-")
    with zipfile.ZipFile(wheel) as archive:
        files = {each: archive.read(each) for each in archive.namelist() if not each.endswith("/")}
    (library,) = (each for each in files if re.fullmatch(r"uvgrpc/_core\..*so", each))
    soabi = library.split(".")[1]
    renamed = f"uvgrpc/_core.{'-'.join(soabi.split('-')[:2])}-{platform.machine}.so"
    files[renamed] = files.pop(library)
    info = f"{name}-{version}.dist-info"
    lines = files[f"{info}/WHEEL"].decode().splitlines()
    lines = [line for line in lines if line and not line.startswith("Tag:")]
    lines.append(f"Tag: {python}-{abi}-{platform.tag}")
    files[f"{info}/WHEEL"] = ("\n".join(lines) + "\n").encode()
    record = f"{info}/RECORD"
    del files[record]
    rows = []
    # Metadata last, as the format asks for.
    for path in sorted(files, key=lambda each: (each.startswith(info), each)):
        digest = base64.urlsafe_b64encode(hashlib.sha256(files[path]).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(files[path])}")
    files[record] = ("\n".join([*rows, f"{record},,"]) + "\n").encode()
    DIST.mkdir(exist_ok=True)
    result = DIST / f"{name}-{version}-{python}-{abi}-{platform.tag}.whl"
    date = time.gmtime(max(int(timestamp), 315532800))[:6]  # the format begins in 1980
    with zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in [row.rsplit(",", 2)[0] for row in rows] + [record]:
            entry = zipfile.ZipInfo(path, date)
            entry.external_attr = (0o100755 if path.endswith(".so") else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, files[path], compresslevel=9)
    return result


@dataclass
class Verdict:
    name: str
    size: int
    seconds: float
    policy: str
    tried: str


def exports(library: Path) -> set[str]:
    from elftools.elf.elffile import ELFFile

    with library.open("rb") as file:
        symbols = ELFFile(file).get_section_by_name(".dynsym").iter_symbols()
        return {
            symbol.name
            for symbol in symbols
            if symbol["st_shndx"] != "SHN_UNDEF" and symbol["st_info"]["bind"] in ("STB_GLOBAL", "STB_WEAK")
        }


def check(wheel: Path, platform: Platform) -> str:
    """What auditwheel finds it to be. Ends the program if the wheel is not as it has to be."""
    if wheel.stat().st_size > LARGEST:
        raise SystemExit(f"error: {wheel.name} has {wheel.stat().st_size:,} bytes, more than {LARGEST:,}")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (library,) = (each for each in names if each.endswith(".so"))
        extracted = Path(archive.extract(library, WORK / "extracted"))
    found = exports(extracted)
    if found != {"PyInit__core"}:
        raise SystemExit(f"error: {wheel.name} exports {sorted(found)[:10]}, not PyInit__core alone")
    for wanted in ("/licenses/LICENSE", "/licenses/linked/grpc.txt", "/sboms/uvgrpc.cdx.json"):
        if not any(each.endswith(wanted) for each in names):
            raise SystemExit(f"error: {wheel.name} lacks {wanted}")
    said = run(sys.executable, "-m", "auditwheel", "show", wheel)
    text = " ".join(said.split())
    consistent = re.search(r'is consistent with the following platform tag: "(\w+)"', text)
    policy = consistent[1] if consistent else "?"
    if policy != platform.tag and not older(policy, platform.tag):
        raise SystemExit(f"error: {wheel.name} is {policy} by auditwheel:\n{said}")
    return policy


def older(policy: str, tag: str) -> bool:
    """Whether `policy` asks for less of a system than `tag`."""
    pattern = r"(\w+linux)_(\d+)_(\d+)_(\w+)"
    found, wanted = re.fullmatch(pattern, policy), re.fullmatch(pattern, tag)
    if found is None or wanted is None or (found[1], found[4]) != (wanted[1], wanted[4]):
        return False
    return (int(found[2]), int(found[3])) <= (int(wanted[2]), int(wanted[3]))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pythons", nargs="+", required=True)
    parser.add_argument("--platforms", nargs="+", choices=PLATFORMS, required=True)
    parser.add_argument("--no-try", action="store_true", help="do not install and test them")
    arguments = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    timestamp = epoch()
    verdicts = []
    for tag in arguments.platforms:
        platform = PLATFORMS[tag]
        for interpreter in arguments.pythons:
            version = version_of(interpreter)
            if version is None:
                print(f"-- {interpreter}: not here")
                continue
            print(f"== {tag}, CPython {version}", flush=True)
            start = time.monotonic()
            venv = environment_of(interpreter, version)
            wheel = finish(build(platform, venv, version, timestamp), platform, timestamp)
            policy = check(wheel, platform)
            seconds = time.monotonic() - start
            tried = "not run here"
            if not platform.is_foreign and not arguments.no_try:
                subprocess.run([interpreter, ROOT / "tests" / "wheels.py", wheel], check=True)
                tried = "passed"
            verdicts.append(Verdict(wheel.name, wheel.stat().st_size, seconds, policy, tried))
    print("| wheel | MB | auditwheel | tried | seconds to build |\n| --- | ---: | --- | --- | ---: |")
    for one in verdicts:
        print(f"| {one.name} | {one.size / 1e6:.2f} | {one.policy} | {one.tried} | {one.seconds:.0f} |")
    if not verdicts:
        raise SystemExit("error: none of the interpreters is here")


if __name__ == "__main__":
    main()
