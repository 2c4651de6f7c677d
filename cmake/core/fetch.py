"""Fetch a source distribution by package name, check its hash, unpack it once.

The file comes from whatever package index pip is set up to use.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path


class FetchError(Exception):
    pass


def pins() -> dict[str, str]:
    """Versions and hashes of third_party/, by their names there (GRPC_VERSION)."""
    folder = Path(__file__).resolve().parents[2] / "third_party"
    text = "".join((folder / f"{name}.cmake").read_text() for name in ("grpc", "libuv", "newer"))
    return dict(re.findall(r"^set\((\w+) ([\w.]+)\)$", text, re.MULTILINE))


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def index_options() -> list[str]:
    """pip reads its index from its own settings; unearth has to be told."""
    url = os.environ.get("PIP_INDEX_URL", "")
    if not url:
        answer = subprocess.run(
            [sys.executable, "-m", "pip", "config", "get", "global.index-url"], capture_output=True, text=True
        )
        url = answer.stdout.strip() if answer.returncode == 0 else ""
    return ["--index-url", url] if url else []


def from_index(name: str, version: str, folder: Path) -> Path:
    """A source distribution, whatever it holds: nobody has compared its hash yet."""
    command = [
        sys.executable,
        "-m",
        "unearth",
        f"{name}=={version}",
        "--no-binary",
        "--download",
        str(folder),
    ]
    run = subprocess.run(command + index_options(), capture_output=True, text=True)
    found = list(folder.glob(f"{name}-{version}.tar.gz"))
    if run.returncode != 0 or not found:
        hint = "install it with: pip install unearth" if "No module named unearth" in run.stderr else ""
        raise FetchError(
            f"cannot download {name} {version}: {run.stderr.strip() or run.stdout.strip()} {hint}"
        )
    return found[0]


def download(name: str, version: str, digest: str, folder: Path) -> Path:
    target = folder / f"{name}-{version}.tar.gz"
    if target.exists() and sha256(target) == digest:
        return target
    print(f"-- downloading {name} {version} (source distribution)", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        found = from_index(name, version, Path(temporary))
        actual = sha256(found)
        if actual != digest:
            raise FetchError(
                f"{name} {version} has SHA-256\n  {actual}\n"
                f"but third_party/ pins\n  {digest}\nNothing was unpacked."
            )
        os.replace(found, target)
    return target


def unpack(archive: Path, digest: str, folder: Path) -> Path:
    """The folder is complete when it has its final name: it is renamed last."""
    target = folder / f"{archive.name.removesuffix('.tar.gz')}-{digest[:12]}"
    if target.is_dir():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder))
    try:
        with tarfile.open(archive) as tar:
            if hasattr(tarfile, "data_filter"):
                tar.extractall(temporary, filter="data")
            else:
                tar.extractall(temporary)
        (inner,) = temporary.iterdir()
        os.rename(inner, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def source(name: str, version: str, digest: str, cache: Path) -> Path:
    """The unpacked sources of name==version."""
    unpacked = cache / "source" / f"{name}-{version}-{digest[:12]}"
    if unpacked.is_dir():
        return unpacked
    return unpack(download(name, version, digest, cache / "download"), digest, cache / "source")
