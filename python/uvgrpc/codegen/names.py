# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Names: of modules, of what is generated, and of what generated code imports."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable


def python_module(proto_file: str, suffix: str) -> str:
    """The module that protoc's Python generator makes of a file, with another suffix than its "_pb2"."""
    stem = proto_file.removesuffix(".protodevel").removesuffix(".proto")
    return stem.replace("-", "_").replace("/", ".") + suffix


def output_file(proto_file: str) -> str:
    """The file that is generated for a .proto file; as with protoc's own, dots in its name make folders."""
    return python_module(proto_file, "_uvgrpc").replace(".", "/") + ".py"


def is_name(text: str) -> bool:
    """Whether it can be written as a name."""
    return text.isidentifier() and not keyword.iskeyword(text)


def is_pythons_own(method: str) -> bool:
    """Whether a method's name has a meaning to Python, as `__init__` has."""
    return method.startswith("__") and method.endswith("__") and len(method) > 4


def sorting_key(name: str) -> tuple[int, list[str | int]]:
    """How sorters of imports sort: constants, classes, functions; the numbers in them by their value."""
    rank = 0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2
    return rank, [int(part) if part.isdigit() else part for part in re.split("([0-9]+)", name)]


class Names:
    """Gives out names, each once."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)

    def take(self, *wanted: str) -> str:
        """The first of the wanted names that is free; else the last one with underscores added."""
        name = next((name for name in wanted if name not in self._taken), wanted[-1])
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name

    def take_attribute(self, method: str) -> str:
        """The attribute for a method: its own name, which must be free, or one that can be written.

        Keywords cannot, and what begins with two underscores Python renames within a class.
        """
        if keyword.iskeyword(method):
            return self.take(method + "_")
        if method.startswith("__") and not method.endswith("__"):
            return self.take("_" + (method.lstrip("_") or "method"))
        return method
