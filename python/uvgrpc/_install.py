# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Putting uvgrpc under grpc.aio.

With _introspection.py and _observability.py, which install() calls, and _recorder.py the
only files that touch grpcio's private modules.

grpc.aio's factories look up their classes as globals of `grpc.aio._channel` and
`grpc.aio._server`. Exchanging those two names works however and whenever a program
got hold of the factories: imported by name before, or wrapped by an instrumentation.
"""

from __future__ import annotations

import abc
import asyncio
import functools
import importlib
import threading
import warnings
from typing import Any

from uvgrpc import _introspection, _loop, _observability
from uvgrpc.aio._channel import Channel
from uvgrpc.aio._server import Server

# Any: what is private to grpcio has no types.
stock_channel: Any = importlib.import_module("grpc.aio._channel")
stock_server: Any = importlib.import_module("grpc.aio._server")
# Both have init_grpc_aio and shutdown_grpc_aio, which start and end a poller thread.
_lifecycle_modules: Any = (
    importlib.import_module("grpc.aio"),
    importlib.import_module("grpc.experimental.aio"),
)
_lifecycle_names = ("init_grpc_aio", "shutdown_grpc_aio")

_lock = threading.Lock()


class _State:
    """What install() was asked for, and what it replaced."""

    installed = False
    strict = False
    warned = False
    channel_type: Any = None
    server_type: Any = None
    lifecycle: tuple[Any, ...] = ()


def _use_uvgrpc() -> bool:
    """Whether an object made now, in this thread, belongs to uvgrpc.

    Raises:
      UnsupportedLoopError: a loop of another kind is running and install() was strict.
    """
    try:
        event_loop = asyncio.get_running_loop()
    except RuntimeError:
        return True
    if _loop.is_supported(event_loop):
        return True
    error = _loop.unsupported(event_loop)
    if _State.strict:
        raise error
    if not _State.warned:
        _State.warned = True
        warnings.warn(f"{error}. grpc.aio is used there unchanged.", RuntimeWarning, stacklevel=4)
    return False


class _Chooser(abc.ABCMeta):
    """A class that makes an object of uvgrpc's or of grpc.aio's, as the loop demands.

    Objects of both count as instances: grpc.aio's own objects check for that.
    """

    _ours: type
    _stock: type

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if "_ours" not in cls.__dict__:  # a subclass that the program made
            return super().__call__(*args, **kwargs)
        return (cls._ours if _use_uvgrpc() else cls._stock)(*args, **kwargs)

    def __instancecheck__(cls, instance: Any) -> bool:
        if "_ours" not in cls.__dict__:
            return super().__instancecheck__(instance)
        return cls._covers(type(instance))

    def __subclasscheck__(cls, subclass: type) -> bool:
        if "_ours" not in cls.__dict__:
            return super().__subclasscheck__(subclass)
        return cls._covers(subclass)

    def _covers(cls, subclass: type) -> bool:
        # Not issubclass: an abstract class asks its subclasses, of which this is one.
        bases = subclass.__mro__
        return cls._ours in bases or cls._stock in bases


def _chooser(ours: type, stock: type) -> Any:
    return _Chooser(stock.__name__, (ours,), {"_ours": ours, "_stock": stock, "__doc__": stock.__doc__})


def _lifecycle(stock: Any) -> Any:
    """init_grpc_aio or shutdown_grpc_aio: nothing, but on a loop that is not uvloop's."""

    @functools.wraps(stock)
    def function() -> None:
        event_loop = asyncio._get_running_loop()
        if event_loop is not None and not _loop.is_supported(event_loop):
            stock()

    return function


def install(*, strict: bool = False) -> None:
    """Makes grpc.aio run on uvgrpc wherever uvloop's loop runs.

    Channels and servers made from here on are uvgrpc's; those made before stay what
    they are. May be called before a loop runs, and again to change `strict`.

    Args:
      strict: on a loop that is not uvloop's, raise UnsupportedLoopError instead of
        using grpc.aio as it is, with one warning.

    Raises:
      UnsupportedLoopError: `strict`, and a loop of another kind is running.
    """
    if strict:
        try:
            event_loop = asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            if not _loop.is_supported(event_loop):
                raise _loop.unsupported(event_loop)
    with _lock:
        _State.strict = strict
        if _State.installed:
            return
        _State.channel_type = stock_channel.Channel
        _State.server_type = stock_server.Server
        stock_channel.Channel = _chooser(Channel, _State.channel_type)
        stock_server.Server = _chooser(Server, _State.server_type)
        _State.lifecycle = tuple(getattr(_lifecycle_modules[0], name) for name in _lifecycle_names)
        for name, function in zip(_lifecycle_names, _State.lifecycle, strict=True):
            for module in _lifecycle_modules:
                setattr(module, name, _lifecycle(function))
        _introspection.patch()
        _State.installed = True
        _observability.patch()  # may warn


def uninstall() -> None:
    """Gives grpc.aio its own classes back. Objects that exist keep working."""
    with _lock:
        if not _State.installed:
            return
        stock_channel.Channel = _State.channel_type
        stock_server.Server = _State.server_type
        for name, function in zip(_lifecycle_names, _State.lifecycle, strict=True):
            for module in _lifecycle_modules:
                setattr(module, name, function)
        _introspection.unpatch()
        _observability.unpatch()
        _State.installed = False
        _State.warned = False


def is_installed() -> bool:
    """Whether install() is in force."""
    return _State.installed
