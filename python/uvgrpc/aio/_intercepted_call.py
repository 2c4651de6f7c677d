# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Calls that go through interceptors, one class an arity.

Who holds whom: the program holds the call; the call holds the task that runs the
interceptors, and through its result the call that they returned. Nothing of that holds
the call, so that it can be dropped at any time, which cancels the RPC.
"""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import AsyncIterator, Generator, Sequence
from functools import partial
from typing import Any, ClassVar

import grpc
import grpc.aio

from uvgrpc._runtime.loop import runs_elsewhere, wrong_thread
from uvgrpc.aio._call import HALF_CLOSED, STYLES_MIXED
from uvgrpc.aio._interceptor import (
    STREAM_STREAM,
    STREAM_UNARY,
    UNARY_STREAM,
    UNARY_UNARY,
    Chain,
    Kind,
    Starter,
)
from uvgrpc.aio._local_call import DoneCallback, DoneCallbacks, LocalCall
from uvgrpc.aio._request_pipe import RequestPipe

_FINISHED = "RPC already finished."


class InterceptedCall(grpc.aio.Call):
    """What the arities share. Starts the interceptors at once, in a task.

    Args:
      interceptors: the first one is the outermost.
      start: starts the RPC at the end of their way.
      details: what the program asked for.
      request: the request or the iterator of requests; None for one that is written to.
      event_loop: the loop to run on.
    """

    _kind: ClassVar[Kind]
    _pipe: RequestPipe | None = None
    _task: asyncio.Task[grpc.aio.Call] | None = None

    def __init__(
        self,
        interceptors: Sequence[Any],
        start: Starter,
        details: grpc.aio.ClientCallDetails,
        request: Any,
        event_loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._loop = event_loop
        self._callbacks = DoneCallbacks()
        self._cancelled = False
        self._watching = False
        # Resolves when _answer() has something to tell.
        self._answered: asyncio.Future[None] = event_loop.create_future()
        self._chain = Chain(self._kind, interceptors, start, details.timeout)
        self._task = event_loop.create_task(self._chain.run(details, request))
        self._task.add_done_callback(partial(_on_interceptors_done, weakref.ref(self)))

    def __del__(self) -> None:
        if self._task is None or self.done():
            return
        if asyncio._get_running_loop() is self._loop:
            self.cancel()
        else:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self.cancel)

    def _check_thread(self) -> None:
        """Raises RuntimeError in a thread that does not run the call's loop, while another does."""
        if runs_elsewhere(self._loop):
            raise wrong_thread(f"the call {self!r}")

    def _answer(self) -> grpc.aio.Call | None:
        """The call that stands for the outcome; None as long as interceptors decide on it."""
        if self._cancelled:
            return LocalCall.failed(asyncio.CancelledError())
        assert self._task is not None
        if not self._task.done():
            return None
        if self._task.cancelled() or self._task.exception() is not None:
            # Only KeyboardInterrupt and SystemExit get here, and out of the loop.
            return LocalCall.failed(asyncio.CancelledError())
        return self._task.result()

    async def _wait(self) -> Any:
        """Gives the call that stands for the outcome. Cancelling this leaves the RPC alone.

        Any: grpc.aio's abstract call knows nothing of messages.
        """
        self._check_thread()
        call = self._answer()
        while call is None:
            await asyncio.shield(self._answered)
            call = self._answer()
        return call

    async def _take(self) -> Any:
        """Gives the call that messages come from. Cancelling this cancels the RPC.

        Raises:
          Exception: what an interceptor raised.
          asyncio.CancelledError: the call was cancelled before interceptors returned one.
        """
        self._check_thread()
        if self._cancelled:
            raise asyncio.CancelledError
        assert self._task is not None
        try:
            # Not _wait(): cancellation, with its message, is to reach the interceptors,
            # and what they do about it comes first.
            call = await self._task
        except asyncio.CancelledError:
            self.cancel()
            raise
        if self._cancelled:
            raise asyncio.CancelledError
        if isinstance(call, LocalCall):
            call.raise_for_error()
        return call

    def _interceptors_done(self) -> None:
        if not self._answered.done():
            self._answered.set_result(None)
        call = self._answer()
        assert call is not None
        if call.done():
            self._over()
        elif self._callbacks or self._pipe is not None:
            self._watch(call)

    def _watch(self, call: grpc.aio.Call) -> None:
        if not self._watching:
            self._watching = True
            call.add_done_callback(partial(_on_call_done, weakref.ref(self)))

    def _over(self) -> None:
        """Tells everybody that the call is over."""
        if self._pipe is not None:
            self._pipe.finish()
        self._callbacks.run(self, self._loop)

    def cancel(self) -> bool:
        """Ends the call with CANCELLED, whatever interceptors are at, or do about it.

        May be called on any thread; on another than the loop's it takes effect a little later.

        Returns:
          False when it was over already.
        """
        if runs_elsewhere(self._loop):
            over = self.done()
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self.cancel)
            return not over
        call = self._answer()
        if call is not None:
            if self._pipe is not None:
                self._pipe.finish()
            return call.cancel()
        assert self._task is not None
        self._cancelled = True
        under_way = self._chain.cancel()
        if not self._loop.is_closed():
            if under_way:
                # Interceptors that wait for the code of the RPC, as instrumentation does,
                # get it first: they are resumed before this runs.
                self._loop.call_soon(self._task.cancel)
            else:
                self._task.cancel()
            if not self._answered.done():
                self._answered.set_result(None)
            if self._pipe is not None:
                self._pipe.finish()
            self._callbacks.run(self, self._loop)
        return True

    def cancelled(self) -> bool:
        """Whether the call ended with CANCELLED."""
        call = self._answer()
        return call is not None and call.cancelled()

    def done(self) -> bool:
        """Whether the call is over."""
        call = self._answer()
        return call is not None and call.done()

    def add_done_callback(self, callback: DoneCallback) -> None:
        """Calls `callback(self)` when the call is over; now, if it is."""
        call = self._answer()
        if call is not None and call.done():
            callback(self)
            return
        self._callbacks.add(callback)
        if call is not None:
            self._watch(call)

    def time_remaining(self) -> float | None:
        """Seconds until the deadline, all of them until the RPC starts; None without one."""
        call = self._answer()
        if call is None or isinstance(call, LocalCall):
            return self._chain.time_remaining()
        return call.time_remaining()

    async def initial_metadata(self) -> grpc.aio.Metadata:
        """The metadata that the server sent first."""
        result: grpc.aio.Metadata = await (await self._wait()).initial_metadata()
        return result

    async def trailing_metadata(self) -> grpc.aio.Metadata:
        """The metadata that the server sent last."""
        result: grpc.aio.Metadata = await (await self._wait()).trailing_metadata()
        return result

    async def code(self) -> grpc.StatusCode:
        """The status code."""
        result: grpc.StatusCode = await (await self._wait()).code()
        return result

    async def details(self) -> str:
        """The status message; empty when there is none."""
        result: str = await (await self._wait()).details()
        return result

    async def debug_error_string(self) -> str | None:
        """What core knows of a failure, for people to read; None if it was not asked."""
        result: str | None = await (await self._wait()).debug_error_string()
        return result

    async def wait_for_connection(self) -> None:
        """Waits until the server has begun to answer.

        Raises:
          AioRpcError: the call failed.
        """
        await (await self._wait()).wait_for_connection()

    def _status_future(self) -> asyncio.Future[None]:
        """A future that resolves when the call is over."""
        future: asyncio.Future[None] = self._loop.create_future()

        def resolve(_: Any) -> None:
            if not future.done():
                future.set_result(None)

        self.add_done_callback(resolve)
        return future

    def __repr__(self) -> str:
        call = self._answer() if self._task is not None else None
        return f"<{type(self).__name__} object>" if call is None else f"<{type(self).__name__} of {call!r}>"


def _on_interceptors_done(reference: weakref.ref[InterceptedCall], _: asyncio.Task[Any]) -> None:
    call = reference()
    if call is not None:
        call._interceptors_done()


def _on_call_done(reference: weakref.ref[InterceptedCall], _: Any) -> None:
    call = reference()
    if call is not None:
        call._over()


class _UnaryResponse(InterceptedCall):
    """Calls with one response: await them for it, as often as wanted."""

    def __await__(self) -> Generator[Any, None, Any]:
        return self._response().__await__()

    async def _response(self) -> Any:
        return await (await self._take())


class _StreamResponse(InterceptedCall):
    """Calls with a stream of responses."""

    _responses: AsyncIterator[Any] | None = None

    def __aiter__(self) -> AsyncIterator[Any]:
        return _Responses(self)

    async def _next(self) -> Any:
        if self._responses is None:
            self._responses = aiter(await self._take())
        return await anext(self._responses)

    async def read(self) -> Any:
        """Gives the next response; EOF after the last one.

        Raises:
          AioRpcError: the call failed.
          UsageError: it is iterated over already.
        """
        return await (await self._take()).read()


class _Responses(AsyncIterator[Any]):
    """Iterates over an intercepted call. Holds it, unlike what it iterates over itself."""

    def __init__(self, call: _StreamResponse) -> None:
        self._call = call

    def __anext__(self) -> Any:
        return self._call._next()


class _StreamRequest(InterceptedCall):
    """Calls with a stream of requests."""

    _half_closed_text = HALF_CLOSED

    def __init__(
        self,
        interceptors: Sequence[Any],
        start: Starter,
        details: grpc.aio.ClientCallDetails,
        request: Any,
        event_loop: asyncio.AbstractEventLoop,
    ) -> None:
        if request is None:
            request = self._pipe = RequestPipe(event_loop)
        super().__init__(interceptors, start, details, request, event_loop)

    def _writable(self) -> RequestPipe:
        self._check_thread()
        if self._pipe is None:
            raise grpc.aio.UsageError(STYLES_MIXED)
        return self._pipe

    async def write(self, request: Any) -> None:
        """Waits until the RPC takes a request, which it does when the one before is sent.

        Raises:
          UsageError: requests come from an iterator.
          asyncio.InvalidStateError: the call is over, or done_writing() was called.
        """
        pipe = self._writable()
        if not self.done():
            if pipe.is_closed:
                raise asyncio.InvalidStateError(self._half_closed_text)
            try:
                if await pipe.put(request):
                    return
            except asyncio.CancelledError:
                self.cancel()
                raise
        call = self._answer()
        if isinstance(call, LocalCall) and call.is_broken:
            call.raise_for_error()
        raise asyncio.InvalidStateError(_FINISHED)

    async def done_writing(self) -> None:
        """Tells that no more requests follow. Idempotent.

        Raises:
          UsageError: requests come from an iterator.
        """
        self._writable().close()


class InterceptedUnaryUnaryCall(_UnaryResponse, grpc.aio.UnaryUnaryCall[Any, Any]):
    """One request, one response, by way of interceptors."""

    _kind = UNARY_UNARY


class InterceptedUnaryStreamCall(_StreamResponse, grpc.aio.UnaryStreamCall[Any, Any]):
    """One request, a stream of responses, by way of interceptors."""

    _kind = UNARY_STREAM


class InterceptedStreamUnaryCall(_StreamRequest, _UnaryResponse, grpc.aio.StreamUnaryCall[Any, Any]):
    """A stream of requests, one response, by way of interceptors."""

    _kind = STREAM_UNARY


class InterceptedStreamStreamCall(_StreamRequest, _StreamResponse, grpc.aio.StreamStreamCall[Any, Any]):
    """Streams both ways, by way of interceptors."""

    _kind = STREAM_STREAM


# A public name of grpc.aio's; registered, so that isinstance knows ours and nothing else
# of that class comes with it.
grpc.aio.InterceptedUnaryUnaryCall.register(InterceptedUnaryUnaryCall)
