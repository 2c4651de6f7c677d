# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""gRPC for asyncio on uvloop's own libuv loop: no polling thread.

grpc.aio, with stubs and programs as they are::

    import uvloop, grpc, uvgrpc

    uvgrpc.install()      # grpc.aio runs on uvloop's loop from here on
    uvloop.run(main())    # main() is grpc.aio code with generated stubs

``from uvgrpc import aio`` gives the same API without changing grpc.aio. And uvgrpc's own, messages in and
messages out::

    protos = uvgrpc.proto("helloworld.proto")
    response = await protos.Hi("localhost:50051", protos.HelloRequest(name="you"))

Everything but what must be in place before grpc's credentials are made is imported when first used.
"""

import sys as _sys
from importlib import import_module as _import_module
from typing import TYPE_CHECKING

from uvgrpc._version import __version__

if TYPE_CHECKING:
    from uvgrpc import aio
    from uvgrpc._protos.errors import ProtoError
    from uvgrpc._protos.loading import proto
    from uvgrpc._protos.namespace import Protos
    from uvgrpc._protos.reflection import reflect
    from uvgrpc._rpc.call import StreamStreamCall, StreamUnaryCall, UnaryStreamCall, UnaryUnaryCall
    from uvgrpc._rpc.channel import Channel, insecure_channel, secure_channel
    from uvgrpc._rpc.context import ServicerContext
    from uvgrpc._rpc.deadlines import deadline
    from uvgrpc._rpc.errors import EOF, RpcError
    from uvgrpc._rpc.generated import (
        StreamStreamHandler,
        StreamUnaryHandler,
        UnaryStreamHandler,
        unimplemented,
    )
    from uvgrpc._rpc.multi_callable import (
        StreamStreamMultiCallable,
        StreamUnaryMultiCallable,
        UnaryStreamMultiCallable,
        UnaryUnaryMultiCallable,
    )
    from uvgrpc._rpc.running import run
    from uvgrpc._rpc.server import Server, server
    from uvgrpc._rpc.service import Method, Service
    from uvgrpc._rpc.sockets import channel_from_socket, listen_fds
    from uvgrpc._runtime.loop import LoopStats, UnsupportedLoopError, loop_stats
    from uvgrpc._under_grpc.install import install, is_active, is_installed, uninstall

# There is no uvloop for Windows.
_HAS_UVLOOP = _sys.platform != "win32"
if _HAS_UVLOOP:
    from uvgrpc._under_grpc import recorder as _recorder

    _recorder.start()

# Where what is imported late comes from.
_NAMES = {
    "_protos.errors": ("ProtoError",),
    "_protos.loading": ("proto",),
    "_protos.namespace": ("Protos",),
    "_protos.reflection": ("reflect",),
    "_rpc.call": ("StreamStreamCall", "StreamUnaryCall", "UnaryStreamCall", "UnaryUnaryCall"),
    "_rpc.channel": ("Channel", "insecure_channel", "secure_channel"),
    "_rpc.context": ("ServicerContext",),
    "_rpc.deadlines": ("deadline",),
    "_rpc.errors": ("EOF", "RpcError"),
    "_rpc.generated": ("StreamStreamHandler", "StreamUnaryHandler", "UnaryStreamHandler", "unimplemented"),
    "_rpc.multi_callable": (
        "StreamStreamMultiCallable",
        "StreamUnaryMultiCallable",
        "UnaryStreamMultiCallable",
        "UnaryUnaryMultiCallable",
    ),
    "_rpc.running": ("run",),
    "_rpc.server": ("Server", "server"),
    "_rpc.service": ("Method", "Service"),
    "_rpc.sockets": ("channel_from_socket", "listen_fds"),
    "_runtime.loop": ("LoopStats", "UnsupportedLoopError", "loop_stats"),
    "_under_grpc.install": ("install", "is_active", "is_installed", "uninstall"),
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}
if not _HAS_UVLOOP:
    _MODULES = dict.fromkeys(("install", "is_active", "is_installed", "uninstall"), "_without_uvloop")

__all__ = (
    "EOF",
    "Channel",
    "LoopStats",
    "Method",
    "ProtoError",
    "Protos",
    "RpcError",
    "Server",
    "Service",
    "ServicerContext",
    "StreamStreamCall",
    "StreamStreamHandler",
    "StreamStreamMultiCallable",
    "StreamUnaryCall",
    "StreamUnaryHandler",
    "StreamUnaryMultiCallable",
    "UnaryStreamCall",
    "UnaryStreamHandler",
    "UnaryStreamMultiCallable",
    "UnaryUnaryCall",
    "UnaryUnaryMultiCallable",
    "UnsupportedLoopError",
    "__version__",
    "aio",
    "channel_from_socket",
    "deadline",
    "insecure_channel",
    "install",
    "is_active",
    "is_installed",
    "listen_fds",
    "loop_stats",
    "proto",
    "reflect",
    "run",
    "secure_channel",
    "server",
    "unimplemented",
    "uninstall",
)


def __getattr__(name: str) -> object:
    if name == "aio" and _HAS_UVLOOP:
        return _import_module("uvgrpc.aio")
    if name not in _MODULES:
        reason = " on Windows, where there is no uvloop" if not _HAS_UVLOOP and name in __all__ else ""
        raise AttributeError(f"module 'uvgrpc' has no attribute {name!r}{reason}")
    found: object = getattr(_import_module(f"uvgrpc.{_MODULES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
