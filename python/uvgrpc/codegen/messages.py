# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Which class of which module a message is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto

from uvgrpc.codegen.names import python_module


@dataclass(frozen=True)
class Message:
    """A message's class.

    Attributes:
      module: the module that protoc writes for the file that defines it.
      path: the class's name in it, with those of the classes around it.
    """

    module: str
    path: tuple[str, ...]


class Messages:
    """All messages of some files, by their full names with a dot before them."""

    def __init__(self, files: Iterable[FileDescriptorProto]) -> None:
        self._messages: dict[str, Message] = {}
        for file in files:
            module = python_module(file.name, "_pb2")
            package = f".{file.package}." if file.package else "."
            for path in _paths(file.message_type, ()):
                self._messages[package + ".".join(path)] = Message(module, path)

    def __getitem__(self, name: str) -> Message:
        return self._messages[name]


def _paths(messages: Iterable[DescriptorProto], outer: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for message in messages:
        path = (*outer, message.name)
        yield path
        yield from _paths(message.nested_type, path)
