# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""From .proto files to descriptors, by the protoc that grpcio-tools has in a library.

Nothing is written and no process is started: grpcio-tools gives, in memory, the Python modules that it would
write, and each of them contains its file's descriptor.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from uvgrpc._protos.errors import Problem, ProtoError

Path = str | os.PathLike[str]

# The one literal of a generated module that is a serialized FileDescriptorProto.
_DESCRIPTOR = re.compile(
    rb"""AddSerializedFile\(\s*(b'(?:[^'\\]|\\.)*'|b"(?:[^"\\]|\\.)*")\s*\)""", re.DOTALL
)


def compile_files(paths: Sequence[Path], include: Sequence[Path]) -> tuple[dict[str, bytes], list[str]]:
    """Compiles .proto files.

    Args:
      paths: of the files; see locate().
      include: folders to search before sys.path.

    Returns:
      The descriptors of the files and of all they import, by the names that imports have for
      them; and the names of the files themselves.

    Raises:
      ImportError: grpcio-tools is not installed.
      FileNotFoundError: there is no such file.
      ProtoError: protoc does not take them.
    """
    compiler, standard_files = _protoc()
    roots = search_path(include)
    files: dict[str, bytes] = {}
    names = []
    for path in paths:
        name, own_root, full_path = locate(path, roots, include)
        folders = [*own_root, *roots, os.path.dirname(full_path), standard_files]
        files.update(_compile(compiler, name, folders))
        names.append(name)
    return files, names


def _protoc() -> tuple[Any, str]:
    """The compiler, and the folder of the files that come with it.

    grpc_tools.protoc is not imported: it would have `import x_pb2` compile .proto files from then on.
    """
    try:
        from grpc_tools import _protoc_compiler
    except ImportError as error:
        raise ImportError(
            "uvgrpc.proto() compiles .proto files with grpcio-tools: pip install grpcio-tools"
        ) from error
    return _protoc_compiler, os.path.join(os.path.dirname(_protoc_compiler.__file__), "_proto")


def search_path(include: Iterable[Path]) -> list[str]:
    """The folders that names are searched in: `include`, sys.path, the working folder."""
    folders = [*(os.fspath(folder) for folder in include), *sys.path, os.curdir]
    return list(dict.fromkeys(os.path.abspath(folder) for folder in folders if os.path.isdir(folder or ".")))


def locate(path: Path, roots: Sequence[str], include: Iterable[Path]) -> tuple[str, list[str], str]:
    """Finds a file.

    A path that is not absolute and does not begin with a dot is searched for in `roots`, as an import in a
    .proto is. Any other is a path on its own; an import's name for it comes from the folder in `roots` that
    it lies in, `include`'s first, or else is its last part.

    Returns:
      The name that imports have for it, folders to be searched before `roots` for it to be
      found by that name, and its full path.

    Raises:
      FileNotFoundError: there is no such file.
    """
    name = os.fspath(path)
    normal = os.path.normpath(name)
    if not os.path.isabs(name) and not name.startswith((os.curdir + os.sep, os.pardir + os.sep)):
        for root in roots:
            full_path = os.path.join(root, normal)
            if os.path.isfile(full_path):
                return normal, [], full_path
        raise FileNotFoundError(
            f"{name} is in none of the folders that are searched (include=, sys.path, the working folder): "
            + ", ".join(roots)
        )
    full_path = os.path.abspath(name)
    if not os.path.isfile(full_path):
        raise FileNotFoundError(f"there is no file {full_path}")
    given = [os.path.abspath(folder) for folder in include]
    for root in (*given, *roots):
        if not full_path.startswith(os.path.join(root, "")):
            continue
        inner = os.path.relpath(full_path, root)
        first = next(found for found in roots if os.path.isfile(os.path.join(found, inner)))
        if os.path.samefile(os.path.join(first, inner), full_path):
            return inner, [], full_path
    folder, inner = os.path.split(full_path)
    return inner, [folder], full_path


def _compile(compiler: Any, name: str, folders: Sequence[str]) -> dict[str, bytes]:
    from google.protobuf.descriptor_pb2 import FileDescriptorProto

    try:
        modules = compiler.get_protos(os.fsencode(name), [os.fsencode(folder) for folder in folders])
    except (compiler.ProtocError, compiler.ProtocErrors) as error:
        several = isinstance(error, compiler.ProtocErrors)
        found = error.errors() if several and callable(error.errors) else [error]
        raise ProtoError(f"{name} cannot be compiled", [_problem(one, folders) for one in found]) from None
    except Warning:
        # By the program's wish.
        raise
    except Exception as error:
        raise ProtoError(f"{name} cannot be compiled: {error}") from error
    files = {}
    for module, code in modules:
        literal = _DESCRIPTOR.search(code)
        if literal is None:
            raise ProtoError(f"no descriptor in what grpcio-tools made for {os.fsdecode(module)}")
        serialized: bytes = ast.literal_eval(literal[1].decode())
        files[FileDescriptorProto.FromString(serialized).name] = serialized
    return files


def _problem(error: Any, folders: Sequence[str]) -> Problem:
    file = os.fsdecode(error.filename)
    message = os.fsdecode(error.message)
    # protoc counts from 0; what is about no line is at -1.
    if error.line < 0:
        return Problem(file, None, None, message, "")
    return Problem(file, error.line + 1, error.column + 1, message, _line(file, error.line, folders))


def _line(file: str, number: int, folders: Sequence[str]) -> str:
    """A line of a file, for people to read."""
    for folder in folders:
        try:
            with open(os.path.join(folder, file), encoding="utf-8", errors="replace") as source:
                lines = source.read().split("\n")
        except OSError:
            continue
        return lines[number].rstrip() if number < len(lines) else ""
    return ""
