# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""An older C library to link against: files of an older Debian's packages, unpacked but not installed.

The packages and their hashes are in third_party/sysroot.txt. They come from the mirror that this machine
takes Debian's packages from, by apt.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

PINS = Path(__file__).resolve().parents[2] / "third_party" / "sysroot.txt"
RELEASE = "bullseye"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


@dataclass(frozen=True)
class Package:
    name: str
    version: str
    architecture: str
    digest: str


def pins(architecture: str) -> list[Package]:
    lines = (line.split() for line in PINS.read_text().splitlines() if line and not line.startswith("#"))
    return [package for package in (Package(*line) for line in lines) if package.architecture == architecture]


def mirror() -> str:
    """Where this machine takes Debian's packages from."""
    folder = Path("/etc/apt")
    texts = [file.read_text() for file in sorted(folder.glob("sources.list.d/*.sources"))]
    for text in texts:
        for stanza in text.split("\n\n"):
            lines = [line for line in stanza.splitlines() if not line.startswith("#")]
            fields = dict(line.split(":", 1) for line in lines if re.match(r"\w[\w-]*:", line))
            if "main" in fields.get("Components", "").split() and "security" not in fields.get("Suites", ""):
                return fields["URIs"].split()[0]
    listed = folder / "sources.list"
    for line in listed.read_text().splitlines() if listed.exists() else ():
        if found := re.match(r"deb\s+(?:\[.*?\]\s+)?(\S+)\s+[a-z]+\s+.*\bmain\b", line):
            return found[1]
    raise SystemExit("error: there is no mirror of Debian's among apt's sources")


def apt_get(folder: Path, architecture: str, *command: str) -> None:
    """Runs apt-get in `folder`, with a release of Debian's that is not this machine's."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    sources = folder / "sources.list"
    sources.write_text(f"deb [arch={architecture} signed-by={KEYRING}] {mirror()} {RELEASE} main\n")
    options = [
        f"-oDir::Etc::SourceList={sources}",
        "-oDir::Etc::SourceParts=-",
        f"-oDir::State::Lists={folder}/lists",
        # What is installed here is of no account.
        f"-oDir::State::Status={os.devnull}",
        f"-oDir::Cache={folder}",
        "-oAPT::Sandbox::User=",
        f"-oAPT::Architecture={architecture}",
        f"-oAPT::Architectures={architecture}",
    ]
    for each in (("update",), command):
        done = subprocess.run(["apt-get", "-q", *options, *each], cwd=folder, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"error: apt-get {each[0]} failed:\n{done.stderr}")


def download(packages: list[Package], folder: Path) -> list[Path]:
    names = [f"{package.name}={package.version}" for package in packages]
    apt_get(folder, packages[0].architecture, "download", *names)
    return sorted(folder.glob("*.deb"))


def straighten(tree: Path) -> None:
    """Links that name a path from the root are to stay inside."""
    for path in tree.rglob("*"):
        if path.is_symlink() and (target := os.readlink(path)).startswith("/"):
            path.unlink()
            path.symlink_to(os.path.relpath(tree / target[1:], path.parent))


def make(architecture: str, work: Path) -> Path:
    """The folder; what it is made from decides over its name."""
    packages = pins(architecture)
    if not packages:
        raise SystemExit(f"error: {PINS.name} has no packages for {architecture}")
    digest = hashlib.sha256("".join(package.digest for package in packages).encode()).hexdigest()[:12]
    tree = work / f"sysroot-{architecture}-{digest}"
    if tree.is_dir():
        return tree
    print(f"-- fetching Debian's {', '.join(package.name for package in packages)} ({RELEASE})", flush=True)
    folder = work / f"packages-{architecture}"
    shutil.rmtree(folder, ignore_errors=True)
    wanted = {package.digest for package in packages}
    partial = tree.with_name(tree.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    for file in download(packages, folder):
        found = hashlib.sha256(file.read_bytes()).hexdigest()
        if found not in wanted:
            raise SystemExit(f"error: {file.name} has SHA-256 {found}, which {PINS.name} does not pin")
        wanted.remove(found)
        subprocess.run(["dpkg-deb", "-x", file, partial], check=True)
    if wanted:
        raise SystemExit(f"error: {len(wanted)} of the packages of {PINS.name} were not found")
    straighten(partial)
    partial.rename(tree)
    shutil.rmtree(folder)
    return tree
