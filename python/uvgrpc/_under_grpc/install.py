# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Putting uvgrpc under grpc.aio.

With introspection.py and observability.py, which install() calls, and recorder.py the
only files that touch grpcio's private modules.

grpc.aio's factories look up their classes as globals of `grpc.aio._channel` and
`grpc.aio._server`. Exchanging those two names works however and whenever a program
got hold of the factories: imported by name before, or wrapped by an instrumentation.
"""

from __future__ import annotations

import abc
import asyncio
import functools
import gc
import importlib
import threading
from collections.abc import Callable
from typing import Any

from uvgrpc import _core
from uvgrpc._runtime import loop
from uvgrpc._runtime.warn import warn
from uvgrpc._under_grpc import introspection, observability
from uvgrpc.aio._blocking import BlockingServicerContext
from uvgrpc.aio._channel import Channel
from uvgrpc.aio._intercepted_call import InterceptedCall
from uvgrpc.aio._local_call import LocalCall, StreamStreamAnswer, UnaryStreamAnswer
from uvgrpc.aio._multi_callable import MultiCallable
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

# Besides channels, servers and multi-callables, which may have grpc.aio's own inside.
_OWN_TYPES = (
    _core.ClientCall,
    InterceptedCall,
    LocalCall,
    UnaryStreamAnswer,
    StreamStreamAnswer,
    _core.ServicerContext,
    BlockingServicerContext,
)

_lock = threading.Lock()


class _State:
    """What install() was asked for, and what it replaced."""

    installed = False
    strict = False
    warned = False
    channel_type: Any = None
    server_type: Any = None
    lifecycle: tuple[Any, ...] = ()


def _belongs_to_stock() -> bool:
    """Whether an object made now, in this thread, is grpc.aio's own.

    What is made before a loop runs, and where none is waiting to be run, is uvgrpc's for
    the time being: it chooses when it is first used.
    """
    event_loop = loop.current_loop()
    if event_loop is None or loop.is_supported(event_loop):
        return False
    if _State.strict and not event_loop.is_running():
        return False  # that may not be the loop which runs in the end
    _refuse_or_warn(event_loop)
    return True


def _refuse_or_warn(event_loop: asyncio.AbstractEventLoop) -> None:
    """What is to happen before grpc.aio is used as it is on a loop that is not uvloop's.

    Raises:
      UnsupportedLoopError: install() was strict.
    """
    error = loop.unsupported(event_loop)
    if _State.strict:
        raise error
    if not _State.warned:
        _State.warned = True
        warn(f"{error}. grpc.aio is used there unchanged.")


def _stock_maker(stock: Any) -> Callable[..., Any]:
    """What an object of uvgrpc's makes grpc.aio's own with, for a loop that is not uvloop's."""

    def make(event_loop: asyncio.AbstractEventLoop, *arguments: Any) -> Any:
        _refuse_or_warn(event_loop)
        return stock(*arguments)

    return make


class _Chooser(abc.ABCMeta):
    """A class that makes an object of uvgrpc's or of grpc.aio's, as the loop demands.

    Objects of both count as instances: grpc.aio's own objects check for that.
    """

    _ours: type
    _stock_type: type
    _make_stock: Callable[..., Any]

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        # A subclass that the program made is uvgrpc's, with grpc.aio's own inside if need be.
        if "_ours" not in cls.__dict__:
            return super().__call__(*args, **kwargs)
        if _belongs_to_stock():
            return cls._stock_type(*args, **kwargs)
        kind: Any = cls._ours
        ours = kind.__new__(kind)
        ours._make_stock = cls._make_stock
        ours.__init__(*args, **kwargs)
        return ours

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
        return cls._ours in bases or cls._stock_type in bases


def _chooser(ours: type, stock: type) -> Any:
    members = {
        "_ours": ours,
        "_stock_type": stock,
        "_make_stock": staticmethod(_stock_maker(stock)),
        "__doc__": stock.__doc__,
    }
    return _Chooser(stock.__name__, (ours,), members)


def _lifecycle(stock: Any) -> Any:
    """init_grpc_aio or shutdown_grpc_aio: nothing, but on a loop that is not uvloop's."""

    @functools.wraps(stock)
    def function() -> None:
        event_loop = asyncio._get_running_loop()
        if event_loop is not None and not loop.is_supported(event_loop):
            stock()

    return function


def install(*, strict: bool = False) -> None:
    """Makes grpc.aio run on uvgrpc wherever uvloop's loop runs.

    Channels and servers made from here on are uvgrpc's; those made before stay what
    they are, and if there are any on uvloop's loop, a RuntimeWarning says so. May be
    called before a loop runs, and again to change `strict`.

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
            if not loop.is_supported(event_loop):
                raise loop.unsupported(event_loop)
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
        introspection.patch()
        _State.installed = True
        too_early = _made_too_early()
        observability.patch()  # may warn
    if too_early:
        warn(
            f"uvgrpc.install() came after {' and '.join(too_early)} of grpc.aio's own: they stay that, "
            "with a polling thread beside the loop. Install before they are made"
        )


def _made_too_early() -> list[str]:
    """What there is of grpc.aio's own channels and servers on uvloop's loops."""
    # While there is one, grpc.aio has a thread that polls. Without it there is no need to
    # look through all objects of the process.
    targets = (getattr(thread, "_target", None) for thread in threading.enumerate())
    if not any(getattr(target, "__name__", "") == "_poll_wrapper" for target in targets):
        return []
    # Every object refers to its type.
    kinds = (_State.channel_type, _State.server_type)
    found = [one for one in gc.get_referrers(*kinds) if type(one) in kinds]
    counts = [
        sum(type(one) is kind and loop.is_supported(one.__dict__.get("_loop")) for one in found)
        for kind in kinds
    ]
    names = ("channel", "server")
    return [f"{count} {name}{'s' * (count > 1)}" for count, name in zip(counts, names, strict=True) if count]


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
        introspection.unpatch()
        observability.unpatch()
        _State.installed = False
        _State.warned = False


def is_installed() -> bool:
    """Whether install() is in force."""
    return _State.installed


def is_active(target: object) -> bool:
    """Whether an object is uvgrpc's, and so works without grpc.aio's polling thread.

    Args:
      target: a channel, a server, a multi-callable (what a stub's methods are), a call, or
        the context of an RPC that is served.

    Returns:
      False for objects of grpc.aio's own, and for anything else. What was made before a loop
      runs is uvgrpc's, until it is used on a loop of another kind.
    """
    if isinstance(target, MultiCallable):
        target = target._channel
    # Not isinstance: after install() that is true of grpc.aio's own, too.
    bases = type(target).__mro__
    if Channel in bases or Server in bases:
        stock: Any = target
        return stock._stock is None
    return isinstance(target, _OWN_TYPES)
