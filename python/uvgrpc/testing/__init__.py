# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests without a network: real servers and real calls, inside the process.

::

    async with uvgrpc.testing.serving(Greeter()) as channel:
        stub = GreeterStub(channel)
        reply = await stub.SayHello(HelloRequest(name="you"))

Under pytest there are fixtures: `grpc_server`, `grpc_channel`, `grpc_servicers`. They come by themselves.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uvgrpc.testing._leaks import LeakError
    from uvgrpc.testing._serving import inproc_channel, serving

_MODULES = {"LeakError": "_leaks", "inproc_channel": "_serving", "serving": "_serving"}

__all__ = ("LeakError", "inproc_channel", "serving")


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module 'uvgrpc.testing' has no attribute {name!r}")
    found: object = getattr(_import_module(f"uvgrpc.testing.{_MODULES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
