# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Sets of serialized FileDescriptorProto: their order, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.message import DecodeError


def parsed(serialized: bytes) -> FileDescriptorProto:
    """A file's descriptor, whose names are text.

    Raises:
      ValueError: it is none.
    """
    try:
        file = FileDescriptorProto.FromString(serialized)
        names = [file.name, file.package, *file.dependency, *(service.name for service in file.service)]
    except (DecodeError, UnicodeError) as error:
        raise ValueError(str(error)) from None
    # What is not UTF-8 the runtime gives as bytes.
    if not file.name or not all(isinstance(name, str) for name in names):
        raise ValueError("it has no name, or names that are not text")
    return file


def in_order(imports: Mapping[str, Iterable[str]], ready: Callable[[str], str | None]) -> dict[str, str]:
    """Goes through files so that what a file imports comes before it.

    Args:
      imports: of each file, the names of those that it imports.
      ready: is called with each file whose imports are there; says what is wrong with it, or
        None.

    Returns:
      Why a file was left out: `ready` said so of it or of what it imports, something is
      missing, or it is in a circle.
    """
    waits_for = {name: {*needed} for name, needed in imports.items()}
    wanted_by: dict[str, list[str]] = {}
    for name, needed in waits_for.items():
        for other in needed:
            wanted_by.setdefault(other, []).append(name)
    causes = {
        name: f"{name} imports {other}, which is not there"
        for other in sorted(wanted_by.keys() - imports.keys(), reverse=True)
        for name in wanted_by[other]
    }
    done = set()
    can_be_next = [name for name, needed in waits_for.items() if not needed]
    while can_be_next:
        name = can_be_next.pop()
        problem = ready(name)
        if problem is not None:
            causes[name] = problem
            continue
        done.add(name)
        for other in wanted_by.get(name, ()):
            waits_for[other].discard(name)
            if not waits_for[other]:
                can_be_next.append(other)
    left_out = dict(causes)
    spreading = list(causes)
    while spreading:
        name = spreading.pop()
        for other in wanted_by.get(name, ()):
            if other not in left_out:
                left_out[other] = left_out[name]
                spreading.append(other)
    for name in imports:
        if name not in done and name not in left_out:
            left_out[name] = f"{name} imports itself, by way of other files, or imports one that does"
    return left_out


def roots_of(imports: Mapping[str, Iterable[str]]) -> list[str]:
    """The files that no other one imports; all of them when there is none such."""
    imported = {other for needed in imports.values() for other in needed}
    return [name for name in imports if name not in imported] or list(imports)


def same(one: bytes, other: bytes) -> bool:
    """Whether two descriptors of a file say the same."""
    return one == other or _essence(one) == _essence(other)


def _essence(serialized: bytes) -> FileDescriptorProto:
    """A descriptor without what protoc puts into some of its outputs only."""
    file = FileDescriptorProto.FromString(serialized)
    file.ClearField("source_code_info")
    if file.syntax == "proto2":
        file.ClearField("syntax")
    for field in file.extension:
        _without_derived(field)
    messages: list[DescriptorProto] = list(file.message_type)
    while messages:
        message = messages.pop()
        messages += message.nested_type
        for field in (*message.field, *message.extension):
            _without_derived(field)
    return file


def _without_derived(field: FieldDescriptorProto) -> None:
    words = field.name.split("_")
    derived = words[0] + "".join(word[:1].upper() + word[1:] for word in words[1:])
    if field.json_name == derived:
        field.ClearField("json_name")
