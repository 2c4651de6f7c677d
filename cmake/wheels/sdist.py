# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Makes the source distribution in dist/, and sees to it that a wheel can be built from it (`make sdist`).

That is tried in a folder without git. It takes the core from the cache, where it is already.
"""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

from make import DIST, epoch, run
from platforms import ROOT


def make() -> Path:
    """Two in a row have to be the same, too."""
    code = "import sys; from scikit_build_core.build import build_sdist; print(build_sdist(sys.argv[1]))"
    environment = {**os.environ, "SOURCE_DATE_EPOCH": epoch()}
    digests = set()
    DIST.mkdir(exist_ok=True)
    for _ in range(2):
        name = run(sys.executable, "-c", code, DIST, cwd=ROOT, env=environment).split()[-1]
        digests.add((DIST / name).read_bytes())
    if len(digests) != 1:
        raise SystemExit("error: two source distributions of the same tree are not the same")
    return DIST / name


def main() -> None:
    archive = make()
    print(f"-- {archive.name}: {archive.stat().st_size:,} bytes")
    with tempfile.TemporaryDirectory(prefix="uvgrpc-sdist-") as temporary:
        with tarfile.open(archive) as tar:
            tar.extractall(temporary, filter="data")
        (tree,) = Path(temporary).iterdir()
        out = Path(temporary) / "out"
        pip = [sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "-w", out]
        run(*pip, tree, env={**os.environ, "GIT_DIR": os.devnull, "PATH": path_without_git()})
        (wheel,) = out.glob("*.whl")
        print(f"-- built from it, without git: {wheel.name}")


def path_without_git() -> str:
    """The folders of the path, but for those where git is: the rest of those, by links."""
    folders = []
    spare = Path(tempfile.mkdtemp(prefix="uvgrpc-path-"))
    for folder in map(Path, os.environ["PATH"].split(os.pathsep)):
        if not (folder / "git").exists():
            folders.append(str(folder))
            continue
        for program in folder.iterdir():
            link = spare / program.name
            if not program.name.startswith("git") and not link.exists():
                link.symlink_to(program)
    folders.append(str(spare))
    return os.pathsep.join(folders)


if __name__ == "__main__":
    if shutil.which("cmake") is None:
        raise SystemExit("error: cmake is missing")
    main()
