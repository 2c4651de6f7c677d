# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Builds a CPython that is not installed here: cpython.py VERSION [CONFIGURE OPTIONS]

From the source package of Debian's unstable release, without Debian's patches, into build/cpython-VERSION;
`--disable-gil` among the options adds a "t" to that name.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "cmake" / "wheels"))
import sysroot  # noqa: E402

RELEASE = "sid"


def main() -> None:
    version, options = sys.argv[1], sys.argv[2:]
    target = ROOT / "build" / f"cpython-{version}{'t' * ('--disable-gil' in options)}"
    work = target.with_name(target.name + ".work")
    shutil.rmtree(work, ignore_errors=True)
    machine = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True)
    source = ("source", "--download-only", f"python{version}")
    sysroot.apt_get(work, "deb-src", RELEASE, machine.stdout.strip(), *source)
    (archive,) = work.glob("*.orig.tar.*z")
    print(f"-- {archive.name}", flush=True)
    with tarfile.open(archive) as tar:
        tar.extractall(work, filter="data")
    (tree,) = (path.parent for path in work.glob("*/configure"))
    log = target.with_name(target.name + ".log")
    with log.open("w") as file:
        for command in (
            ["./configure", f"--prefix={target}", "--with-ensurepip=install", *options],
            ["make", f"-j{os.cpu_count()}"],
            ["make", "install"],
        ):
            if subprocess.run(command, cwd=tree, stdout=file, stderr=subprocess.STDOUT).returncode != 0:
                raise SystemExit(f"error: {' '.join(command)} failed, see {log}")
    shutil.rmtree(work)
    print(f"-- {target / 'bin' / 'python3'}")


if __name__ == "__main__":
    main()
