# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What is linked into the extension, as a wheel tells it: inventory.py FOLDER --grpc VERSION SHA256 SOURCE

Writes FOLDER/sboms/uvgrpc.cdx.json (CycloneDX 1.6) and FOLDER/licenses/linked/*. Versions and licence texts
are read from the sources that were compiled; texts that are not among those are in third_party/licences.
The same sources give the same bytes.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
LICENCES = HERE.parent / "third_party" / "licences"


@dataclass(frozen=True)
class Part:
    """A library inside grpcio's source distribution.

    Attributes:
      version: what its version is read from, a file and patterns; None where its sources do not say.
      text: the file that begins with its licence, or None: then it is in third_party/licences,
        or the Apache licence, which is gRPC's.
    """

    name: str
    licence: str
    version: tuple[str, str] | None = None
    text: str | None = None


PARTS = (
    Part(
        "abseil-cpp",
        "Apache-2.0",
        ("third_party/abseil-cpp/absl/base/config.h", r"#define ABSL_LTS_RELEASE_(?:VER|PATCH)\w+ (\d+)"),
    ),
    Part("address_sorting", "BSD-3-Clause", text="third_party/address_sorting/address_sorting.c"),
    Part("boringssl", "Apache-2.0"),
    Part(
        "c-ares",
        "MIT",
        ("third_party/cares/cares/include/ares_version.h", r'#define ARES_VERSION_STR "([^"]+)"'),
        "third_party/cares/cares/include/ares.h",
    ),
    Part("re2", "BSD-3-Clause"),
    Part("upb", "BSD-3-Clause"),
    Part("utf8_range", "MIT"),
    Part(
        "xxhash",
        "BSD-2-Clause",
        ("third_party/xxhash/xxhash.h", r"#define XXH_VERSION_(?:MAJOR|MINOR|RELEASE) +(\d+)"),
        "third_party/xxhash/xxhash.h",
    ),
    Part(
        "zlib",
        "Zlib",
        ("third_party/zlib/zlib.h", r'#define ZLIB_VERSION "([^"]+)"'),
        "third_party/zlib/zlib.h",
    ),
)

GCC_TEXT = """\
The C++ standard library of GCC {version} (libstdc++) is linked into the extension.

Copyright (C) Free Software Foundation, Inc. It is licensed under the GNU General Public License, version 3
or later, with the GCC Runtime Library Exception, version 3.1, which permits to convey what was compiled
with GCC, and contains parts of that library, under terms of one's own choice.
"""


def leading_comments(text: str) -> str:
    """The comments that a C or C++ file begins with, without what marks them as such."""
    found = re.match(r"(?:\s*/\*.*?\*/)+", text, re.DOTALL)
    if found is None:
        raise SystemExit("cmake/inventory.py: a file that should begin with its licence does not")
    lines = (re.sub(r"^\s*/?\*+/?|\*/\s*$", "", line).rstrip() for line in found[0].splitlines())
    return "\n".join(lines).strip() + "\n"


def version_of(part: Part, source: Path) -> str | None:
    if part.version is None:
        return None
    file, pattern = part.version
    numbers = re.findall(pattern, (source / file).read_text())
    if not numbers:
        raise SystemExit(f"cmake/inventory.py: {file} does not tell the version of {part.name}")
    return ".".join(numbers)


def component(name: str, version: str | None, licence: str, purl: str | None = None) -> dict[str, object]:
    said: dict[str, object] = {"type": "library", "bom-ref": name, "name": name}
    if version is not None:
        said["version"] = version
    said["licenses"] = [{"expression": licence}] if " " in licence else [{"license": {"id": licence}}]
    if purl is not None:
        said["purl"] = purl
    return said


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--grpc", nargs=3, required=True, metavar=("VERSION", "SHA256", "SOURCE"))
    parser.add_argument("--version", required=True)
    parser.add_argument("--libstdcxx", metavar="VERSION")
    arguments = parser.parse_args()
    grpc_version, digest, source = arguments.grpc[0], arguments.grpc[1], Path(arguments.grpc[2])

    shutil.rmtree(arguments.folder, ignore_errors=True)
    texts = arguments.folder / "licenses" / "linked"
    texts.mkdir(parents=True)
    write: Callable[[str, str], object] = lambda name, text: (texts / f"{name}.txt").write_text(text)  # noqa: E731
    write("grpc", (source / "LICENSE").read_text())

    grpc = component("grpc", grpc_version, "Apache-2.0", f"pkg:pypi/grpcio@{grpc_version}")
    grpc["hashes"] = [{"alg": "SHA-256", "content": digest}]
    components = [grpc]
    for part in PARTS:
        version = version_of(part, source)
        components.append(component(part.name, version, part.licence))
        if part.text is not None:
            write(part.name, leading_comments((source / part.text).read_text()))
        elif part.licence != "Apache-2.0":
            write(part.name, (LICENCES / f"{part.name}.txt").read_text())
    if arguments.libstdcxx:
        licence = "GPL-3.0-or-later WITH GCC-exception-3.1"
        components.append(component("libstdc++", arguments.libstdcxx, licence))
        write("libstdc++", GCC_TEXT.format(version=arguments.libstdcxx))

    own = component("uvgrpc", arguments.version, "Apache-2.0", f"pkg:pypi/uvgrpc@{arguments.version}")
    names = [str(each["bom-ref"]) for each in components]
    inside = [part.name for part in PARTS]
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": own},
        "components": components,
        "dependencies": [
            {"ref": "uvgrpc", "dependsOn": [name for name in names if name not in inside]},
            {"ref": "grpc", "dependsOn": inside},
        ],
    }
    sboms = arguments.folder / "sboms"
    sboms.mkdir()
    (sboms / "uvgrpc.cdx.json").write_text(json.dumps(bom, indent=1) + "\n")


if __name__ == "__main__":
    main()
