# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The descriptor pool that the files of a proto() or a reflect() go to.

proto()'s go to protobuf's default pool, as those of generated modules do, so that both have the same message
classes, wherever that pool has nothing else under their names. Otherwise, and for all that a server says,
they go to a pool of their own.
"""

from __future__ import annotations

import hashlib
import importlib
import threading
import weakref
from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pool

from uvgrpc._protos.errors import ProtoError
from uvgrpc._protos.files import in_order, parsed, same
from uvgrpc._rpc.rich_status import add_pool

# protobuf's own, whose modules are part of the runtime: they may be of another version than protoc.
_RUNTIME = "google/protobuf/"
# With those that packages of Google's install modules of.
_GOOGLE = "google/"


# What the runtime's words for a bad file begin with.
_REFUSAL = "Couldn't build proto file into descriptor pool: "


class Pool:
    """A descriptor pool; protobuf's cannot be referred to weakly.

    Attributes:
      descriptors: protobuf's pool.
    """

    def __init__(self, descriptors: Any) -> None:
        self.descriptors = descriptors
        self._files: dict[str, Any] = {}

    def add(self, name: str, serialized: bytes) -> None:
        """Adds a file, after those that it imports.

        Raises:
          TypeError: the runtime does not take it. The pure Python one has other errors, too.
        """
        self._files[name] = self.descriptors.AddSerializedFile(serialized) or self.descriptors.FindFileByName(
            name
        )

    def file(self, name: str) -> Any:
        """The descriptor of a file.

        Raises:
          KeyError: there is none.
        """
        # The runtime does not find those whose names are not ASCII.
        return self._files.get(name) or self.descriptors.FindFileByName(name)


_DEFAULT = Pool(descriptor_pool.Default())

# Pools of their own by what is in them, so that the same files give the same classes again.
_own: weakref.WeakValueDictionary[bytes, Pool] = weakref.WeakValueDictionary()

# Two threads must not find at the same time that the default pool has no such files.
_lock = threading.Lock()


def pool_for(files: Mapping[str, bytes]) -> Pool:
    """The pool with `files`, which may be the default one.

    Raises:
      ProtoError: they cannot be used.
    """
    with _lock:
        for name in files:
            _import_generated(name)
        completed = {**files, **missing_of(files)}
        ordered: list[str] = []
        # Whatever is wrong with them must not be found out by the default pool.
        scratch, left_out = filled(completed, ordered)
        if left_out:
            raise ProtoError("\n".join(["the files cannot be used:", *dict.fromkeys(left_out.values())]))
        if _fit_into_default(completed):
            try:
                for name in ordered:
                    if _in_default(name) is None:
                        _DEFAULT.add(name, completed[name])
            except Exception:
                # Numbers of extensions, names of packages: it has seen something that is in the way.
                # The runtimes do not agree on the error's type.
                pass
            else:
                return _DEFAULT
        return shared(completed, scratch)


def shared(files: Mapping[str, bytes], pool: Pool) -> Pool:
    """`pool`, which was filled with `files`, or one with the same files that is in use already."""
    digest = hashlib.sha256()
    for name in sorted(files):
        for part in (name.encode(), files[name]):
            digest.update(len(part).to_bytes(8, "little"))
            digest.update(part)
    kept = _own.setdefault(digest.digest(), pool)
    add_pool(kept)
    return kept


def filled(files: Mapping[str, bytes], ordered: list[str] | None = None) -> tuple[Pool, dict[str, str]]:
    """A new pool with those of `files` that can be used, and why others cannot.

    Args:
      files: serialized descriptors by their names.
      ordered: gets the names in the order in which they were added.
    """
    pool = Pool(descriptor_pool.DescriptorPool())
    left_out: dict[str, str] = {}
    imports: dict[str, list[str]] = {}
    for name, serialized in files.items():
        try:
            imports[name] = list(parsed(serialized).dependency)
        except ValueError as error:
            left_out[name] = f"{name}: {error}"

    def add(name: str) -> str | None:
        try:
            pool.add(name, files[name])
        except Exception as error:
            return f"{name}: {str(error).removeprefix(_REFUSAL)}"
        if ordered is not None:
            ordered.append(name)
        return None

    left_out.update(in_order(imports, add))
    return pool, left_out


def missing_of(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Google's files that are imported but not there, as far as they are installed."""
    found: dict[str, bytes] = {}
    wanted = [*files.values()]
    while wanted:
        try:
            imported = parsed(wanted.pop()).dependency
        except ValueError:
            continue
        for name in imported:
            if name in files or name in found or not name.startswith(_GOOGLE):
                continue
            _import_generated(name)
            known = _in_default(name)
            if known is not None:
                found[name] = known
                wanted.append(known)
    return found


def _import_generated(name: str) -> None:
    """Has the default pool know a file of Google's as the module says it that is installed for it.

    Whoever imports that module later would else find that we were there before, with a version of the file
    that may be another.
    """
    if not name.startswith(_GOOGLE) or _in_default(name) is not None:
        return
    module = name.removesuffix(".proto").replace("-", "_").replace("/", ".") + "_pb2"
    try:
        importlib.import_module(module)
    except Exception:
        # Not there, or not for this version of protobuf.
        return


def _in_default(name: str) -> bytes | None:
    try:
        serialized: bytes = _DEFAULT.file(name).serialized_pb
    except KeyError:
        return None
    return serialized


def _fit_into_default(files: Mapping[str, bytes]) -> bool:
    """Whether the default pool says the same of `files`, or nothing."""
    for name, serialized in files.items():
        known = _in_default(name)
        if known is None:
            if any(_is_taken(symbol) for symbol in _symbols(serialized)):
                return False
        elif not name.startswith(_RUNTIME) and not same(known, serialized):
            return False
    return True


def _symbols(serialized: bytes) -> list[str]:
    """The full names of what a file defines at its top level."""
    file = parsed(serialized)
    prefix = f"{file.package}." if file.package else ""
    values = [value for enum in file.enum_type for value in enum.value]
    defined = (file.message_type, file.enum_type, file.service, file.extension, values)
    return [prefix + each.name for kind in defined for each in kind]


def _is_taken(symbol: str) -> bool:
    try:
        _DEFAULT.descriptors.FindFileContainingSymbol(symbol)
    except KeyError:
        return False
    return True
