# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Saying that grpcio-observability sees nothing of uvgrpc.

Its plugin hands C++ objects to the core it was compiled against, grpcio's. uvgrpc's
core is another, and never takes them, so calls on it are missing from what the plugin
reports; OpenTelemetry's interceptors see them.
"""

from __future__ import annotations

import importlib
import warnings
from typing import Any

# Any: what is private to grpcio has no types.
_stock: Any = importlib.import_module("grpc._observability")


class _State:
    """What patch() replaced, and whether the warning was given."""

    set_plugin: Any = None
    warned = False


def _warn_once() -> None:
    if _State.warned:
        return
    _State.warned = True
    warnings.warn(
        "grpcio-observability's plugin cannot observe uvgrpc's core: calls, channels and servers of "
        "uvgrpc are missing from its metrics. Use OpenTelemetry's interceptors "
        "(opentelemetry-instrumentation-grpc) for them.",
        RuntimeWarning,
        stacklevel=4,
    )


def _set_plugin(plugin: Any) -> None:
    _State.set_plugin(plugin)
    if plugin is not None:
        _warn_once()


def patch() -> None:
    """Warns, once, when a plugin is set or already is."""
    _State.set_plugin = _stock.set_plugin
    _stock.set_plugin = _set_plugin
    with _stock.get_plugin() as plugin:
        if plugin is not None:
            _warn_once()


def unpatch() -> None:
    """Stops that."""
    _stock.set_plugin = _State.set_plugin
    _State.warned = False
