# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What a generated module imports, under names that nothing else in it has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from uvgrpc.codegen.layout import WIDTH, Group, statement
from uvgrpc.codegen.names import Names, is_name, sorting_key

# What else is asked for is imported for type checkers only, by whoever asks.
_STANDARD = ("importlib", "operator", "typing")


class Imports:
    """Collects imports while code is written.

    Methods become attributes of classes, and within a class they hide what is imported: so none of the
    names that are imported may be a method's.

    Args:
      names: gives out the module's names.
      message_modules: the modules of all messages.
    """

    def __init__(self, names: Names, message_modules: Iterable[str]) -> None:
        self._names = names
        # The local name of a module, and of a name in a module.
        self._modules: dict[str, str] = {}
        self._imported: dict[tuple[str, str], str] = {}
        self._message_modules = _message_modules(names, sorted(set(message_modules)))

    def module(self, name: str) -> str:
        """A module, as code is to write it."""
        if name not in self._modules:
            plain = name.partition(".")[0]
            local = self._names.take(plain)
            self._modules[name] = name if local == plain else local
        return self._modules[name]

    def name(self, module: str, name: str) -> str:
        """Something in a module, as code is to write it."""
        if (module, name) not in self._imported:
            self._imported[module, name] = self._names.take(name)
        return self._imported[module, name]

    def literal_name(self, module: str, name: str) -> str:
        """As name(), but under its own name: for statements outside of classes."""
        self._imported[module, name] = name
        return name

    def message_module(self, module: str) -> str:
        """The module of a message, as code is to write it."""
        return self._message_modules[module]

    def lines(self) -> Iterator[str]:
        """The statements that import, of all that was asked for until now."""
        dynamic = [module for module in self._message_modules if not _can_be_written(module)]
        load = self.name("importlib", "import_module") if dynamic else ""
        yield from self._from(pair for pair in self._imported if pair[0] in _STANDARD)
        yield ""
        for module, local in sorted(self._modules.items()):
            yield f"import {module}" if local == module else f"import {module} as {local}"
        yield ""
        for module, local in self._message_modules.items():
            if module not in dynamic:
                yield from _import_module(module, local)
        if dynamic:
            yield ""
        for module in dynamic:
            yield from statement(Group(f"{self._message_modules[module]} = {load}(", [f'"{module}"'], ")"), 0)

    def _from(self, pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
        by_module: dict[str, list[str]] = {}
        for module, name in sorted(pairs, key=lambda pair: (pair[0], sorting_key(pair[1]))):
            by_module.setdefault(module, []).append(_as(name, self._imported[module, name]))
        for module, names in by_module.items():
            yield f"from {module} import {', '.join(names)}"


def _as(name: str, local: str) -> str:
    return name if local == name else f"{name} as {local}"


def _can_be_written(module: str) -> bool:
    return all(map(is_name, module.split(".")))


def _message_modules(names: Names, modules: list[str]) -> Mapping[str, str]:
    """The local names of the modules of messages: their last parts, or all where two have the same."""
    lasts = [module.rpartition(".")[2] for module in modules]
    local = {}
    for module, last in zip(modules, lasts, strict=True):
        wanted = last if lasts.count(last) == 1 else module.replace(".", "_")
        # Two underscores: Python would rename it within a class.
        wanted = "_" + wanted.lstrip("_") if wanted.startswith("__") else wanted
        wanted = "".join(one if one.isalnum() else "_" for one in wanted)
        local[module] = names.take(wanted if is_name(wanted) else f"_{wanted}")
    return local


def _import_module(module: str, local: str) -> Iterator[str]:
    package, _, last = module.rpartition(".")
    if not package:
        yield f"import {_as(last, local)}"
        return
    line = f"from {package} import "
    flat = f"{line}{_as(last, local)}"
    yield from statement(Group(f"{line}(", [_as(last, local)], ")") if len(flat) > WIDTH else flat, 0)
