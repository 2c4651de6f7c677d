# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Stubs: what clients call."""

from __future__ import annotations

from collections.abc import Iterator

from uvgrpc.codegen.attribute import service_attribute
from uvgrpc.codegen.imports import Imports
from uvgrpc.codegen.layout import Group, docstring, statement
from uvgrpc.codegen.model import Method, Service


def lines_of(service: Service, imports: Imports) -> Iterator[str]:
    """The class, as lines."""
    uvgrpc = imports.module("uvgrpc")
    if service.deprecated:
        deprecated = imports.name("typing_extensions", "deprecated")
        yield from statement(Group(f"@{deprecated}(", [f'"{service.full_name} is deprecated"'], ")"), 0)
    yield f"class {service.name}Stub:"
    yield from docstring(service.text(f"Calls {service.full_name}."), 1)
    yield ""
    yield from service_attribute(service, imports)
    yield ""
    for method in service.methods:
        head = f"{_holder(method)}: {_head(method, imports)}"
        yield from statement(Group(head, _types(method), "]"), 1)
        if not method.hidden:
            yield from docstring(method.text, 1)
    if service.methods:
        yield ""
    channel = f"{uvgrpc}.Channel | {imports.module('grpc.aio')}.Channel"
    yield from statement(Group("def __init__(", ["self", f"channel: {channel}"], ") -> None:"), 1)
    yield from _init(service, imports)
    for method in service.methods:
        if method.hidden:
            yield ""
            yield from _property(service, method, imports)


def _init(service: Service, imports: Imports) -> Iterator[str]:
    if not service.methods:
        yield "        pass"
        return
    cast = imports.name("typing", "cast")
    # A channel of grpc.aio's gives its own multi-callables, which have no receive() and send().
    yield f'        calls = {cast}("{imports.module("uvgrpc")}.Channel", channel)'
    for method in service.methods:
        arguments = [
            f'"/{service.full_name}/{method.name}"',
            f"request_serializer={method.request.value}.SerializeToString",
            f"response_deserializer={method.response.value}.FromString",
            "_registered_method=True",
        ]
        yield from statement(Group(f"self.{_holder(method)} = calls.{method.arity}(", arguments, ")"), 2)
    for method in service.methods:
        if method.attribute != method.name:
            # As grpcio's generated stubs have it.
            parts = ["self", f'"{method.name}"', f"self.{_holder(method)}"]
            yield from statement(Group("setattr(", parts, ")"), 2)


def _property(service: Service, method: Method, imports: Imports) -> Iterator[str]:
    """What marks an attribute as deprecated."""
    deprecated = imports.name("typing_extensions", "deprecated")
    yield "    @property"
    yield from statement(
        Group(f"@{deprecated}(", [f'"{service.full_name}/{method.name} is deprecated"'], ")"), 1
    )
    returns = Group(f") -> {_head(method, imports)}", _types(method), "]:")
    yield from statement(Group(f"def {method.attribute}(", ["self"], returns), 1)
    yield from docstring(method.text, 2)
    yield from statement(f"return self.{method.hidden}", 2)


def _holder(method: Method) -> str:
    return method.hidden or method.attribute


def _head(method: Method, imports: Imports) -> str:
    return f"{imports.module('uvgrpc')}.{method.arity_in_types}MultiCallable["


def _types(method: Method) -> list[str]:
    return [method.request.type, method.response.type]
