# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""proto(): the services and messages of .proto files, without generated files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import DecodeError

from uvgrpc._protos.compiling import Path, compile_files, locate, search_path
from uvgrpc._protos.errors import ProtoError
from uvgrpc._protos.files import parsed, roots_of, same
from uvgrpc._protos.namespace import Protos
from uvgrpc._protos.pools import Pool, pool_for

# A .proto, or a file with a descriptor set; a descriptor set, serialized or not; a generated module.
Source = Path | bytes | FileDescriptorSet | FileDescriptor | ModuleType


def proto(*sources: Source, include: Path | Sequence[Path] = ()) -> Protos:
    """Loads .proto files, or what was made from such.

    A file is searched for as imports in a .proto are, in `include`, in sys.path and in the working folder;
    a path that is absolute, or begins with a dot, says itself where it is. It is compiled in this process, by
    grpcio-tools; nothing is written.

    Args:
      sources: .proto files; files with a descriptor set, under any other name; descriptor sets,
        serialized or not; generated modules (`*_pb2`).
      include: folders, or one, to search first.

    Raises:
      ImportError: a .proto needs grpcio-tools, which are not installed.
      FileNotFoundError: there is no such file.
      ProtoError: protoc does not take a file, or a descriptor set is none, or not complete.
      TypeError: a source is of another kind.
    """
    if not sources:
        raise TypeError("proto() needs a .proto file, a descriptor set or a generated module")
    folders = [include] if isinstance(include, (str, os.PathLike)) else list(include)
    label = ", ".join(map(_label, sources))
    resolved = [_descriptor_of(source) if isinstance(source, ModuleType) else source for source in sources]
    modules = [source for source in resolved if isinstance(source, FileDescriptor)]
    if len(modules) == len(resolved) and all(module.pool is modules[0].pool for module in modules):
        return Protos(label, Pool(modules[0].pool), [module.name for module in modules])
    files: dict[str, bytes] = {}
    asked: list[str] = []
    for source in resolved:
        more, names = _read(source, folders)
        for name, serialized in more.items():
            if not same(files.setdefault(name, serialized), serialized):
                raise ProtoError(f"two of the sources have a file {name}, but not the same one")
        asked += names
    return Protos(label, pool_for(files), asked)


def _descriptor_of(module: ModuleType) -> Any:
    descriptor = getattr(module, "DESCRIPTOR", None)
    if not isinstance(descriptor, FileDescriptor):
        raise TypeError(f"the module {module.__name__} is not one that protoc generates, as x_pb2 is")
    return descriptor


def _label(source: Any) -> str:
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source)
    if isinstance(source, ModuleType):
        return source.__name__
    return source.name if isinstance(source, FileDescriptor) else "a descriptor set"


def _read(source: Any, include: Sequence[Path]) -> tuple[dict[str, bytes], list[str]]:
    """The files of a source by their names, and the names of those that come first."""
    if isinstance(source, FileDescriptor):
        return _with_imports(source), [source.name]
    if isinstance(source, FileDescriptorSet):
        return _files_of(source)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _files_of(_parsed(bytes(source), "the bytes given"))
    if not isinstance(source, (str, os.PathLike)):
        raise TypeError(
            "proto() takes paths of files, descriptor sets and generated modules, "
            f"got {type(source).__qualname__}"
        )
    if os.fspath(source).endswith(".proto"):
        return compile_files([source], include)
    _, _, path = locate(source, search_path(include), include)
    with open(path, "rb") as file:
        return _files_of(_parsed(file.read(), path))


def _with_imports(file: Any) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    waiting = [file]
    while waiting:
        file = waiting.pop()
        if file.name not in found:
            found[file.name] = file.serialized_pb
            waiting += file.dependencies
    return found


def _parsed(data: bytes, what: str) -> FileDescriptorSet:
    try:
        return FileDescriptorSet.FromString(data)
    except DecodeError as error:
        raise ProtoError(
            f"{what}: no descriptor set, as protoc --descriptor_set_out makes it: {error}"
        ) from None


def _files_of(files: FileDescriptorSet) -> tuple[dict[str, bytes], list[str]]:
    if not files.file:
        raise ProtoError("a descriptor set without files")
    serialized: dict[str, bytes] = {}
    imports: dict[str, list[str]] = {}
    for file in files.file:
        data = file.SerializeToString()
        try:
            imports[file.name] = list(parsed(data).dependency)
        except ValueError as error:
            raise ProtoError(f"a file of a descriptor set cannot be used: {error}") from None
        serialized[file.name] = data
    return serialized, roots_of(imports)
