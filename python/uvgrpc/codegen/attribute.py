# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The attribute by which stubs and servicers say which service they are for."""

from __future__ import annotations

from collections.abc import Iterator

from uvgrpc.codegen.imports import Imports
from uvgrpc.codegen.layout import statement
from uvgrpc.codegen.model import Service


def service_attribute(service: Service, imports: Imports) -> Iterator[str]:
    """It, as lines."""
    class_var = imports.name("typing", "ClassVar")
    target = f"__uvgrpc_service__: {class_var}[{imports.module('uvgrpc')}.Service]"
    yield from statement(f"{target} = {service.constant}", 1)
