# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Servicers: what servers derive from."""

from __future__ import annotations

from collections.abc import Iterator

from uvgrpc.codegen.attribute import service_attribute
from uvgrpc.codegen.imports import Imports
from uvgrpc.codegen.layout import Group, docstring, statement
from uvgrpc.codegen.model import Method, Service


def lines_of(service: Service, imports: Imports) -> Iterator[str]:
    """The class, as lines, and what belongs to it."""
    yield f"class {service.name}Servicer:"
    unimplemented = "Methods that are not overridden end with UNIMPLEMENTED." if service.methods else ""
    yield from docstring(service.text(f"Serves {service.full_name}.", unimplemented), 1)
    yield ""
    yield from service_attribute(service, imports)
    for method in service.methods:
        yield ""
        if method.request_streaming or method.response_streaming:
            yield from _attribute(method, imports)
        else:
            yield from _method(method, imports)
    renamed = [method for method in service.methods if method.attribute != method.name]
    if renamed:
        yield from ("", "")
    for method in renamed:
        # Servers look for it under its own name.
        getter = f'{imports.name("operator", "attrgetter")}("{method.attribute}")'
        parts: list[Group | str] = [
            f"{service.name}Servicer",
            f'"{method.name}"',
            Group("property(", [getter], ")"),
        ]
        yield from statement(Group("setattr(", parts, ")"), 0)


def _method(method: Method, imports: Imports) -> Iterator[str]:
    uvgrpc = imports.module("uvgrpc")
    request, response = method.request.type, method.response.type
    parameters: list[Group | str] = [
        "self",
        f"request: {request}",
        Group(f"context: {uvgrpc}.ServicerContext[", [request, response], "]"),
        "/",
    ]
    yield from statement(Group(f"async def {method.attribute}(", parameters, f") -> {response}:"), 1)
    yield from docstring(method.text, 2)
    yield f"        await {uvgrpc}.unimplemented(self, request, context)"


def _attribute(method: Method, imports: Imports) -> Iterator[str]:
    uvgrpc = imports.module("uvgrpc")
    head = f"{method.attribute}: {uvgrpc}.{method.arity_in_types}Handler["
    parts = [method.request.type, method.response.type]
    yield from statement(Group(head, parts, f"] = {uvgrpc}.unimplemented"), 1)
    yield from docstring(method.text, 1)
