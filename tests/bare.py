# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Tries wheels in a bare Debian 12, which has no compiler, and measures how long that takes: bare.py WHEEL...

Needs root and debootstrap, and for another machine's wheels qemu-user-static. The system is made once, in
build/wheels; each wheel gets a new environment there, with all that it requires from the package index, and
runs examples/helloworld: the demo with its measurement, or, emulated, only server and client. Only wheels of
Debian's own Python can be tried.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cmake" / "wheels"))
from platforms import ROOT, WORK
from sysroot import mirror

RELEASE = "bookworm"
PACKAGES = "python3,python3-venv,ca-certificates"
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
# Of what pip is set up with here, what it needs there.
SETTINGS = ("index-url", "extra-index-url", "trusted-host")
SCRIPT = """\
set -e
cd /srv/try
for compiler in cc gcc g++ c++ clang cmake ninja make; do
  if command -v $compiler; then exit 9; fi
done
python3 -m venv venv
venv/bin/pip install --quiet --no-cache-dir --only-binary :all: "$1[proto]"
PATH=$PWD/venv/bin:$PATH
cd helloworld
"""
HERE = "exec python demo.py\n"
# An emulator has threads of its own, which the demo would count.
EMULATED = """\
python generate.py
exec 3< <(exec python server.py)
server=$!
read -ru 3 line
python client.py ${line##* } "$(uname -m)"
kill -INT $server
read -ru 3 line
test "$line" = stopped
"""


def system(architecture: str) -> Path:
    folder = WORK / f"bare-{RELEASE}-{architecture}"
    if folder.exists():
        return folder
    print(f"-- debootstrap: {RELEASE}, {architecture}", flush=True)
    partial = folder.with_suffix(".partial")
    if partial.exists():
        raise SystemExit(
            f"error: an attempt was interrupted: umount {partial}/proc, if mounted, and remove {partial}"
        )
    options = [f"--arch={architecture}", "--variant=minbase", f"--include={PACKAGES}"]
    with (WORK / f"debootstrap-{architecture}.log").open("w") as log:
        subprocess.run(["debootstrap", *options, RELEASE, partial, mirror()], stdout=log, check=True)
    partial.rename(folder)
    return folder


def pip_settings() -> dict[str, str]:
    said = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True
    ).stdout
    found = dict(re.findall(r"^.*\.([\w-]+)='(.*)'$", said, re.MULTILINE))
    chosen = {f"PIP_{name.upper().replace('-', '_')}": found[name] for name in SETTINGS if name in found}
    return {**chosen, "PIP_CERT": f"/{CERTIFICATES}", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def attempt(wheel: Path) -> float:
    """How many seconds it takes, from an empty environment to the end of the example."""
    machine = wheel.stem.split("_", 3)[-1]
    root = system(MACHINES[machine])
    folder = root / "srv" / "try"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copy(wheel, folder)
    ignored = shutil.ignore_patterns("__pycache__", "*_pb2*")
    shutil.copytree(ROOT / "examples" / "helloworld", folder / "helloworld", ignore=ignored)
    for name in ("etc/resolv.conf", CERTIFICATES):
        shutil.copy(f"/{name}", root / name)
    (folder / "run.sh").write_text(SCRIPT + (HERE if machine == os.uname().machine else EMULATED))
    variables = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/srv", **pip_settings()}
    # The example counts its threads there.
    subprocess.run(["mount", "-t", "proc", "proc", root / "proc"], check=True)
    try:
        start = time.monotonic()
        command = ["chroot", root, "bash", "/srv/try/run.sh", f"/srv/try/{wheel.name}"]
        subprocess.run(command, env=variables, check=True)
        return time.monotonic() - start
    finally:
        subprocess.run(["umount", root / "proc"], check=True)


def main() -> None:
    if os.geteuid() != 0:
        raise SystemExit("error: only root can make such a system")
    for wheel in map(Path, sys.argv[1:]):
        print(f"-- {wheel.name}: {attempt(wheel):.0f} s", flush=True)


if __name__ == "__main__":
    main()
