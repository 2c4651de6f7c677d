"""Put what a training run wrote where the core's build looks for it.

    profile.py DATA_DIR [--cxx COMPILER]

Writes profiles/gcc-VERSION-MACHINE.tar.xz with a file for each source of the core
(`make profile` says how to train). The same data makes the same archive.
"""

from __future__ import annotations

import argparse
import io
import os
import tarfile
from pathlib import Path

from build import Compiler

# GCC names a file by the path of its object, whose "/" it writes so.
SEPARATOR = "#"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--cxx", default=os.environ.get("CXX", "c++"))
    arguments = parser.parse_args()
    files: dict[str, Path] = {}
    for path in sorted(arguments.data.rglob(f"*{SEPARATOR}grpc_core.dir{SEPARATOR}*.gcda")):
        name = path.name.rpartition(SEPARATOR)[2]
        if name in files:
            raise SystemExit(
                f"error: {arguments.data} has two files {name}, of two builds: empty it and train again"
            )
        files[name] = path
    if not files:
        raise SystemExit(
            f"error: {arguments.data} has no profile; train a core that UVGRPC_PROFILE=generate built"
        )
    target = Compiler(cc="", cxx=arguments.cxx).profile_path()
    target.parent.mkdir(exist_ok=True)
    with tarfile.open(target, "w:xz", preset=9) as archive:
        for name, path in files.items():
            data = path.read_bytes()
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    print(f"{target.name}: {len(files)} sources, {target.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
