# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Tries a wheel out as somebody has it who installs it: python tests/wheels.py WHEEL [PYTEST ARGUMENTS]

In a new environment of the interpreter that runs this, where no compiler is on the path and no source of
uvgrpc's is near: examples/helloworld, then a part of the suite, or what the arguments name.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Calls of all kinds, TLS, names, Unix sockets, install(), fork(), the end of the process; under a minute.
PART = [
    f"tests/python/test_{name}.py"
    for name in (
        "client",
        "server",
        "credentials_tls",
        "dns",
        "examples",
        "exit",
        "first_step",
        "inproc",
        "install",
        "loops",
        "metadata",
        "own_server",
        "sockets",
        "testing",
    )
]
COMPILERS = ("cc", "gcc", "c++", "g++", "clang", "clang++", "cmake", "ninja", "make")


def main() -> None:
    wheel = Path(sys.argv[1]).resolve()
    wanted = sys.argv[2:] or PART
    with tempfile.TemporaryDirectory(prefix="uvgrpc-wheel-") as temporary:
        folder = Path(temporary)
        environment = folder / "venv"
        venv.create(environment, with_pip=True, symlinks=True)
        python = environment / "bin" / "python"
        pins = [f"-r{ROOT}/third_party/{name}.txt" for name in ("requirements", "siblings")]
        pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        subprocess.run([*pip, "--require-hashes", "--only-binary", ":all:", *pins], check=True)
        for name in ("tests", "examples", "pyproject.toml"):
            source, target = ROOT / name, folder / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
        variables = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
        variables["PATH"] = str(environment / "bin")
        for compiler in COMPILERS:
            if shutil.which(compiler, path=variables["PATH"]):
                raise SystemExit(f"error: {compiler} is on the path")
        settings = {"cwd": folder, "env": variables, "check": True}
        start = time.monotonic()
        subprocess.run([*pip, "--no-index", "--no-deps", wheel], **settings)
        subprocess.run([python, "examples/helloworld/demo.py"], **settings)
        seconds = time.monotonic() - start
        print(f"-- installed, and the helloworld example run, in {seconds:.0f} s", flush=True)
        command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *wanted]
        raise SystemExit(subprocess.run(command, **{**settings, "check": False}).returncode)


if __name__ == "__main__":
    main()
