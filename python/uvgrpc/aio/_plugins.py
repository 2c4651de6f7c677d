# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Asking authentication plugins for the metadata of calls.

A plugin may block: google-auth's fetches a token over HTTP. It therefore runs on a
thread, unless its __call__ is a coroutine function, which runs on the event loop.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import threading
from typing import Any, NamedTuple

import grpc

from uvgrpc import _core
from uvgrpc._runtime.threads import run_on_thread

_log = logging.getLogger("uvgrpc")


class _CallDetails(NamedTuple):
    service_url: str
    method_name: str


class AuthMetadataContext(_CallDetails, grpc.AuthMetadataContext):
    """The call that a plugin is asked about."""


class AuthMetadataPluginCallback(grpc.AuthMetadataPluginCallback):
    """How a plugin answers. Once, on any thread.

    Raises, when called:
      RuntimeError: it was called before, or the plugin raised meanwhile.
      TypeError: the metadata is not made of pairs; the call fails then.
    """

    def __init__(self, request: _core.MetadataRequest) -> None:
        self._request = request
        self._lock = threading.Lock()
        self._over = False

    def __call__(self, metadata: Any, error: BaseException | None) -> None:
        if not self._take():
            raise RuntimeError("AuthMetadataPluginCallback invoked more than once!")
        if error is None:
            self._request.succeed(metadata)
        else:
            self._request.fail(str(error))

    def fail(self, error: BaseException) -> None:
        """The plugin raised `error`."""
        if self._take():
            self._request.fail(str(error) or type(error).__name__)

    def _take(self) -> bool:
        with self._lock:
            was_over, self._over = self._over, True
        return not was_over


class PluginCaller:
    """What core calls, on the loop, when a call needs metadata.

    Args:
      plugin: a grpc.AuthMetadataPlugin.
      context: the context that it runs in, or rather in a copy of it for each call.
    """

    def __init__(self, plugin: Any, context: contextvars.Context) -> None:
        self._plugin = plugin
        self._context = context
        self._is_async = inspect.iscoroutinefunction(plugin) or inspect.iscoroutinefunction(
            type(plugin).__call__
        )
        # The loop itself keeps only weak references to its tasks.
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self, request: _core.MetadataRequest) -> None:
        details = AuthMetadataContext(request.service_url, request.method_name)
        callback = AuthMetadataPluginCallback(request)
        context = self._context.copy()
        if self._is_async:
            loop = asyncio.get_running_loop()
            task = loop.create_task(self._ask_async(details, callback), context=context)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            run_on_thread(lambda: context.run(self._ask, details, callback))

    def _ask(self, details: AuthMetadataContext, callback: AuthMetadataPluginCallback) -> None:
        try:
            self._plugin(details, callback)
        except BaseException as error:
            self._handle_error(error, callback)

    async def _ask_async(self, details: AuthMetadataContext, callback: AuthMetadataPluginCallback) -> None:
        try:
            await self._plugin(details, callback)
        except Exception as error:
            self._handle_error(error, callback)
        except BaseException as error:
            callback.fail(error)
            raise

    def _handle_error(self, error: BaseException, callback: AuthMetadataPluginCallback) -> None:
        _log.exception("the authentication plugin %r raised an exception", self._plugin)
        callback.fail(error)
