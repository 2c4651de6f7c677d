# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What a release needs (`make release`): release.py [check]

Looks at the version, the changelog, the tag and the tree, and builds the source distribution, the wheels and
the docs; with `check`, it only looks. Nothing is uploaded: .github/workflows/wheels.yml does that for a tag.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

from platforms import ROOT


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True).stdout.strip()


def version() -> str:
    text = (ROOT / "python" / "uvgrpc" / "_version.py").read_text()
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if found is None:
        raise SystemExit("error: _version.py has no version")
    return found[1]


def findings() -> Iterator[tuple[str, bool, str]]:
    """What is looked at, whether it is as it should be, and what to do if not."""
    number = version()
    is_final = re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", number) is not None
    yield f"version {number} is one to release", is_final, "set it in python/uvgrpc/_version.py"
    changelog = (ROOT / "CHANGELOG.md").read_text()
    heading = re.search(rf"^## \[{re.escape(number)}\] - \d{{4}}-\d\d-\d\d$", changelog, re.MULTILINE)
    remedy = "name the section `## [x.y.z] - date`"
    yield "CHANGELOG.md has a section for it, with a date", heading is not None, remedy
    unreleased = re.search(r"^## \[Unreleased\]\n(.*?)(?=^## \[|\Z)", changelog, re.MULTILINE | re.DOTALL)
    is_empty = unreleased is None or not unreleased[1].strip()
    yield "nothing in it is unreleased", is_empty, "move it to the section of the version"
    tags = git("tag", "--points-at", "HEAD").split()
    yield f"the commit has the tag v{number}", f"v{number}" in tags, f"git tag v{number}"
    yield "the tree is clean", git("status", "--porcelain") == "", "commit or remove what git status shows"
    grpc = (ROOT / "third_party" / "grpc.cmake").read_text()
    pinned = re.search(r"GRPC_VERSION ([\d.]+)\)", grpc)
    requirements = (ROOT / "third_party" / "requirements.in").read_text()
    required = re.search(r"^grpcio==([\d.]+)$", requirements, re.MULTILINE)
    same = pinned is not None and required is not None and pinned[1] == required[1]
    yield "grpc.cmake and requirements.in name the same gRPC", same, "see third_party/README.md"
    shown = (ROOT / "third_party" / "README.md").read_text()
    digests = re.findall(r"SHA256 ([0-9a-f]{64})", grpc + (ROOT / "third_party" / "libuv.cmake").read_text())
    known = bool(digests) and all(digest in shown for digest in digests)
    yield "third_party/README.md has the hashes that are built", known, "copy them there"


def main() -> None:
    good = True
    for what, is_so, remedy in findings():
        print(f"{'ok     ' if is_so else 'MISSING'} {what}" + ("" if is_so else f": {remedy}"))
        good = good and is_so
    if not good or sys.argv[1:] == ["check"]:
        raise SystemExit(not good)
    targets = ["sdist", "wheels"]
    # The site is built by a target of its own.
    if "\ndocs:" in (ROOT / "Makefile").read_text():
        targets.append("docs")
    raise SystemExit(subprocess.run(["make", "--no-print-directory", *targets], cwd=ROOT).returncode)


if __name__ == "__main__":
    main()
