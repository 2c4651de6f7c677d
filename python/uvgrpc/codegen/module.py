# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The module that is generated for a .proto file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from google.protobuf.descriptor_pb2 import FileDescriptorProto, MethodDescriptorProto

from uvgrpc._version import __version__
from uvgrpc.codegen import servicer, stub
from uvgrpc.codegen.comments import Comments
from uvgrpc.codegen.imports import Imports
from uvgrpc.codegen.layout import Group, docstring, statement
from uvgrpc.codegen.messages import Message, Messages
from uvgrpc.codegen.model import Class, Method, Service, paragraphs
from uvgrpc.codegen.names import Names, is_name, is_pythons_own, sorting_key


def generate(file: FileDescriptorProto, messages: Messages) -> str:
    """The code for a file with services.

    Args:
      file: the file.
      messages: those of this file, and of all that it imports.
    """
    return "\n".join(_Module(file, messages).lines()) + "\n"


class _Module:
    def __init__(self, file: FileDescriptorProto, messages: Messages) -> None:
        self._file = file
        self._comments = Comments(file)
        attributes = [_attributes(service.method) for service in file.service]
        # Within a class they hide what the module has under the same name.
        hiding = chain.from_iterable(one.values() for one in attributes)
        exports = [f"{one.name}{what}" for one in file.service for what in ("Servicer", "Stub")]
        self._exports = sorted(exports, key=sorting_key)
        self._names = Names({*self._exports, *chain.from_iterable(hiding)})
        used = {
            name
            for service, taken in zip(file.service, attributes, strict=True)
            for method in service.method
            if method.name in taken
            for name in (method.input_type, method.output_type)
        }
        self._imports = Imports(self._names, (messages[name].module for name in used))
        # Statements that give classes a name that can be written within a class.
        self._aliases: list[str] = []
        self._classes = {name: self._class(messages[name]) for name in sorted(used)}
        has_private = any(
            part.startswith("_")
            for name in used
            for part in (*messages[name].module.split("."), *messages[name].path)
        )
        self._lenient = [
            # Messages, packages or files whose names begin with an underscore.
            *(["reportPrivateUsage=false"] if has_private else []),
            # A method like GET, which a class declares and its __init__() sets.
            *(["reportConstantRedefinition=false"] if any(map(_is_upper, chain(*attributes))) else []),
        ]
        self._services = [self._service(index, one) for index, one in enumerate(attributes)]

    def _class(self, message: Message) -> Class:
        module = self._imports.message_module(message.module)
        expression, can_be_written = module, all(map(is_name, message.module.split(".")))
        for name in message.path:
            if is_name(name):
                expression = f"{expression}.{name}"
            else:
                expression, can_be_written = f'getattr({expression}, "{name}")', False
        if any(name.startswith("__") for name in message.path):
            alias = self._names.take("_" + "_".join(name.strip("_") for name in message.path))
            self._aliases.append(f"{alias} = {expression}")
            expression = alias
        return Class(expression if can_be_written else self._imports.name("typing", "Any"), expression)

    def _service(self, index: int, attributes: dict[str, tuple[str, str]]) -> Service:
        service = self._file.service[index]
        methods = [
            Method(
                name=method.name,
                attribute=attributes[method.name][0],
                hidden=attributes[method.name][1],
                request_streaming=method.client_streaming,
                response_streaming=method.server_streaming,
                request=self._classes[method.input_type],
                response=self._classes[method.output_type],
                comment=self._comments.of_method(index, position),
                deprecated=method.options.deprecated,
            )
            for position, method in enumerate(service.method)
            if method.name in attributes
        ]
        return Service(
            name=service.name,
            full_name=f"{self._file.package}.{service.name}" if self._file.package else service.name,
            constant=self._names.take("_" + (service.name.lstrip("_") or "service")),
            methods=methods,
            left_out=[method.name for method in service.method if method.name not in attributes],
            comment=self._comments.of_service(index),
            deprecated=service.options.deprecated,
        )

    def lines(self) -> Iterator[str]:
        """The module. What it imports is known once its classes are written."""
        services = [list(self._service_lines(service)) for service in self._services]
        marks = list(self._mark_deprecated())
        yield f"# Generated by protoc-gen-uvgrpc {__version__}. Do not edit."
        yield f"# Source: {self._file.name}"
        # Where modules of messages belong depends on the project.
        yield "# isort: skip_file"
        if self._lenient:
            yield f"# pyright: {', '.join(self._lenient)}"
        yield from docstring(self._title(), 0)
        yield from ("", "from __future__ import annotations", "")
        yield from self._imports.lines()
        yield ""
        yield from statement(Group("__all__ = (", [f'"{name}"' for name in self._exports], ")"), 0)
        if self._aliases:
            yield from ("", *self._aliases)
        yield from marks
        for service in services:
            yield from ("", "", *service)

    def _title(self) -> str:
        title = f"Stubs and servicers of the services in {self._file.name}."
        return paragraphs(title, "Deprecated." if self._file.options.deprecated else "")

    def _mark_deprecated(self) -> Iterator[str]:
        """What marks stubs and methods: for type checkers only, so that no package has to be there for it."""
        if not any(one.deprecated or any(method.hidden for method in one.methods) for one in self._services):
            return
        local = self._imports.name("typing_extensions", "deprecated")
        named = "deprecated" if local == "deprecated" else f"deprecated as {local}"
        yield ""
        # Type checkers know it by this name alone.
        yield f"if {self._imports.literal_name('typing', 'TYPE_CHECKING')}:"
        yield f"    from typing_extensions import {named}"
        yield from ("else:", "")
        yield from (f"    def {local}(message):", "        return lambda decorated: decorated")

    def _service_lines(self, service: Service) -> Iterator[str]:
        if service.left_out:
            left_out = ", ".join(service.left_out)
            yield f"# Without methods whose names are Python's own: {left_out}"
        yield from statement(_constant(self._imports, service), 0)
        yield from ("", "", *stub.lines_of(service, self._imports))
        yield from ("", "", *servicer.lines_of(service, self._imports))


def _is_upper(name: str) -> bool:
    return name.upper() == name != name.lower()


def _attributes(methods: Iterable[MethodDescriptorProto]) -> dict[str, tuple[str, str]]:
    """The attributes for a service's methods, by their names: see Method. Without those that cannot be."""
    usable = [method for method in methods if not is_pythons_own(method.name)]
    names = Names(method.name for method in usable)
    attributes = {method.name: names.take_attribute(method.name) for method in usable}
    # It would hide what marks a method.
    can_mark = "property" not in attributes
    return {
        method.name: (
            attributes[method.name],
            names.take("_" + attributes[method.name].lstrip("_"))
            if method.options.deprecated and can_mark
            else "",
        )
        for method in usable
    }


def _constant(imports: Imports, service: Service) -> Group:
    method = f"{imports.module('uvgrpc')}.Method.of_messages("
    methods = [
        Group(
            f'"{one.name}": {method}',
            [
                f'"{one.name}"',
                one.request.value,
                one.response.value,
                f"request_streaming={one.request_streaming}",
                f"response_streaming={one.response_streaming}",
            ],
            ")",
        )
        for one in service.methods
    ]
    head = f"{service.constant} = {imports.module('uvgrpc')}.Service("
    return Group(head, [f'"{service.full_name}"', Group("{", methods, "}")], ")")
