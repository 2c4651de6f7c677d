# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Handlers that are not async: run on a thread, with the RPC on the loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import functools
import inspect
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, NoReturn

import grpc

from uvgrpc import _core
from uvgrpc._runtime.loop import end_with_loop
from uvgrpc.aio._context import ServicerContext


class RpcEnded(grpc.RpcError):
    """The RPC ended while a thread was at work for it."""


class _Bridge:
    """From a handler's thread to the RPC on its loop, until the RPC is over.

    A thread that waits for the loop is let go, with RpcEnded, when the RPC ends: by
    its client, by the server's end or with the loop.
    """

    def __init__(self, context: ServicerContext) -> None:
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        # What threads wait for, with the task that is to provide it once that has begun.
        self._waiting: dict[concurrent.futures.Future[Any], asyncio.Task[Any] | None] = {}
        self._is_over = False
        # At once, not when the loop comes to it: it may be about to wait for the thread.
        context._when_closed(self.let_go)
        end_with_loop(self._loop, self)

    def call(self, function: Callable[..., Coroutine[Any, Any, Any]], *args: Any) -> Any:
        """Runs a coroutine function on the loop and waits for its result.

        Raises:
          RpcEnded: the RPC is over.
        """
        result: concurrent.futures.Future[Any] = concurrent.futures.Future()
        with self._lock:
            if self._is_over:
                raise RpcEnded("the RPC is over")
            self._waiting[result] = None
        try:
            self._loop.call_soon_threadsafe(self._start, function, args, result)
            return result.result()
        except RuntimeError as error:
            if self._loop.is_closed():
                raise RpcEnded("the event loop of the RPC is closed") from error
            raise
        finally:
            with self._lock:
                self._waiting.pop(result, None)

    def _start(
        self,
        function: Callable[..., Coroutine[Any, Any, Any]],
        args: tuple[Any, ...],
        result: concurrent.futures.Future[Any],
    ) -> None:
        task = None
        with self._lock:
            if result in self._waiting:
                self._waiting[result] = task = self._loop.create_task(function(*args))
        if task is not None:
            task.add_done_callback(functools.partial(self._settle, result))

    def _settle(self, result: concurrent.futures.Future[Any], task: asyncio.Task[Any]) -> None:
        # Asked for in any case: asyncio complains of an error that nobody looked at.
        error = RpcEnded("the RPC was cancelled") if task.cancelled() else task.exception()
        if result.done():
            return
        if error is None:
            result.set_result(task.result())
        else:
            result.set_exception(error)

    def let_go(self) -> None:
        """The RPC is over: lets go of all threads that wait, and of those that will. Loop thread."""
        with self._lock:
            self._is_over = True
            waiting, self._waiting = self._waiting, {}
        for result, task in waiting.items():
            if task is not None and task.done():
                # It is what ended the RPC, or came just in time.
                self._settle(result, task)
                continue
            if task is not None:
                task.cancel()
            if not result.done():
                result.set_exception(RpcEnded("the RPC is over"))

    loop_is_closing = let_go


class BlockingServicerContext(grpc.ServicerContext):
    """What a handler that is not async knows of its RPC. For any thread."""

    def __init__(self, context: ServicerContext, bridge: _Bridge) -> None:
        self._context = context
        self._bridge = bridge

    def is_active(self) -> bool:
        """Whether the RPC is not over."""
        return not self._context.done()

    def cancel(self) -> bool:
        """Ends the RPC with CANCELLED. Returns False when it was over already."""
        try:
            self._bridge.call(self._context.abort, grpc.StatusCode.CANCELLED)
        except grpc.aio.AbortError:
            return True
        except (RpcEnded, grpc.aio.UsageError):
            pass
        return False

    # The stubs forget the None.
    def time_remaining(self) -> float | None:  # type: ignore[override]
        """Seconds until the deadline; None when there is none."""
        return self._context.time_remaining()

    def add_callback(self, callback: Callable[[], Any]) -> bool:
        """Has `callback()` called from the loop's thread when the RPC is over.

        Returns:
          False when it is over already: then `callback` is not called.
        """

        async def add() -> None:
            self._context.add_done_callback(lambda _context: callback())

        if not self.is_active():
            return False
        try:
            self._bridge.call(add)
        except RpcEnded:
            return False
        return True

    def invocation_metadata(self) -> Any:
        """The metadata that the client sent: a tuple of pairs."""
        return self._context.invocation_metadata()

    def peer(self) -> str:
        """The client's address, as a URI."""
        return self._context.peer()

    def peer_identities(self) -> Any:
        """The identities of an authenticated client, or None."""
        return self._context.peer_identities()

    def peer_identity_key(self) -> Any:
        """The property of auth_context() that identifies the client, or None."""
        return self._context.peer_identity_key()

    def auth_context(self) -> Any:
        """What is known of the client's authentication."""
        return self._context.auth_context()

    def send_initial_metadata(self, initial_metadata: Any) -> None:
        """Sends the initial metadata now.

        Raises:
          UsageError: it was sent already, or the RPC is over.
        """
        self._bridge.call(self._context.send_initial_metadata, initial_metadata)

    def set_trailing_metadata(self, trailing_metadata: Any) -> None:
        """Sets what is sent with the status."""
        self._context.set_trailing_metadata(trailing_metadata)

    def trailing_metadata(self) -> Any:
        """What set_trailing_metadata() was given."""
        return self._context.trailing_metadata()

    def set_compression(self, compression: grpc.Compression) -> None:
        """Chooses how the RPC's messages are compressed.

        Raises:
          RuntimeError: the initial metadata was sent already.
        """
        self._context.set_compression(compression)

    def disable_next_message_compression(self) -> None:
        """Has the next message sent as it is."""
        self._context.disable_next_message_compression()

    def abort(self, code: Any, details: str = "", trailing_metadata: Any = ()) -> NoReturn:
        """Ends the RPC with a status, and the handler with an exception."""
        self._bridge.call(self._context.abort, code, details, trailing_metadata)
        raise AssertionError("abort() returned")

    def abort_with_status(self, status: grpc.Status) -> NoReturn:
        """Ends the RPC with `status`, and the handler with an exception."""
        self._bridge.call(self._context.abort_with_status, status)
        raise AssertionError("abort_with_status() returned")

    def set_code(self, code: Any) -> None:
        """Sets the status code to end with."""
        self._context.set_code(code)

    def set_details(self, details: str) -> None:
        """Sets the status message to end with."""
        self._context.set_details(details)

    def code(self) -> Any:
        """The status code that was set, or None."""
        return self._context.code()

    def details(self) -> str:
        """The status message that was set."""
        return self._context.details()


class _Requests:
    """The requests of a stream, for a handler on a thread to iterate over."""

    def __init__(self, context: ServicerContext, bridge: _Bridge) -> None:
        self._context = context
        self._bridge = bridge

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        request = self._bridge.call(self._context.read)
        if request is grpc.aio.EOF:
            raise StopIteration
        return request

    next = __next__


async def run_blocking(
    executor: concurrent.futures.Executor | None,
    method: _core.Method,
    request: Any,
    context: ServicerContext,
) -> Any:
    """Runs a handler that is not async.

    It runs on a thread of `executor` (the loop's own when None), in a copy of the
    present context variables. A generator is run to its end by one thread.

    Args:
      request: the request, when there is no stream of them.

    Returns:
      The response, when there is no stream of them.
    """
    loop = asyncio.get_running_loop()
    bridge = _Bridge(context)
    blocking = BlockingServicerContext(context, bridge)
    if method.request_streaming:
        request = _Requests(context, bridge)
    run = _run_stream if method.response_streaming else _run_single
    variables = contextvars.copy_context()
    try:
        result = await loop.run_in_executor(
            executor, variables.run, run, method.behavior, request, blocking, bridge
        )
    except RpcEnded:
        # Nobody is left to tell.
        if context.done():
            return None
        raise
    finally:
        bridge.let_go()
    if inspect.isawaitable(result):
        # A plain function that hands out a coroutine.
        result = await result
    elif method.response_streaming and hasattr(result, "__aiter__"):
        async for response in result:
            await context.write(response)
    return result


def _run_single(
    behavior: Callable[..., Any], request: Any, context: BlockingServicerContext, _bridge: _Bridge
) -> Any:
    context._context._thread_began()
    try:
        return behavior(request, context)
    except StopIteration as error:
        # No future takes it for an exception.
        raise RuntimeError("the handler raised StopIteration") from error


def _run_stream(
    behavior: Callable[..., Any], request: Any, context: BlockingServicerContext, bridge: _Bridge
) -> Any:
    """Sends what a handler yields; gives back what cannot be iterated over here."""
    responses = _run_single(behavior, request, context, bridge)
    if inspect.isawaitable(responses) or hasattr(responses, "__aiter__"):
        return responses
    try:
        for response in responses:
            bridge.call(context._context.write, response)
    finally:
        # The generator hears of a client that has gone.
        if hasattr(responses, "close"):
            responses.close()
    return None
