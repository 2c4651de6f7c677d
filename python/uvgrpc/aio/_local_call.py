# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Calls, or parts of them, that interceptors make up instead of an RPC.

An interceptor may raise, return a response without asking a server, or return an
iterator of its own in place of a stream. The classes here make calls of these, so that
the interceptors around it, and the program, deal with calls only.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Generator
from typing import Any

import grpc
import grpc.aio

from uvgrpc.aio._call import STYLES_MIXED

_log = logging.getLogger("uvgrpc")

_CANCELLED_HERE = "Locally cancelled by application!"

DoneCallback = Callable[[Any], None]


class DoneCallbacks:
    """The done callbacks of a call, each with the context variables it was added in.

    What one raises is told as for asyncio's own callbacks, and keeps no other from running:
    the loop's exception handler gets it, KeyboardInterrupt and SystemExit end the loop.
    """

    def __init__(self) -> None:
        self._entries: list[tuple[DoneCallback, contextvars.Context]] = []

    def __bool__(self) -> bool:
        return bool(self._entries)

    def add(self, callback: DoneCallback) -> None:
        """Adds one."""
        self._entries.append((callback, contextvars.copy_context()))

    def run(self, call: grpc.aio.Call, event_loop: asyncio.AbstractEventLoop | None) -> None:
        """Calls each with `call`, once.

        Args:
          event_loop: the call's, if it is known.
        """
        entries, self._entries = self._entries, []
        for callback, context in entries:
            try:
                context.run(callback, call)
            except (KeyboardInterrupt, SystemExit) as error:
                if event_loop is None or event_loop.is_closed():
                    raise
                # From here it would go to whoever ended the call.
                event_loop.call_soon(_raise, error)
            except BaseException as error:
                if event_loop is None:
                    _log.exception("a done callback of %r raised", call)
                else:
                    message = f"a done callback of {call!r} raised"
                    event_loop.call_exception_handler({"message": message, "exception": error})


def _raise(error: BaseException) -> None:
    raise error


def _snapshot(error: BaseException | None) -> grpc.aio.AioRpcError:
    """The status that an outcome stands for. AioRpcError is just a record of one.

    Raises:
      Exception: `error` itself, if it is not about an RPC: there is no status then.
    """
    if error is None:
        # None in place of metadata and texts is what grpc.aio gives, too, where no server was asked.
        return grpc.aio.AioRpcError(grpc.StatusCode.OK, None, None, "", None)
    if isinstance(error, asyncio.CancelledError):
        return grpc.aio.AioRpcError(grpc.StatusCode.CANCELLED, None, None, _CANCELLED_HERE, "")
    if isinstance(error, grpc.aio.AioRpcError):
        return error
    raise error


def _renewed(error: grpc.aio.AioRpcError) -> grpc.aio.AioRpcError:
    renewed = grpc.aio.AioRpcError(
        error.code(),
        error.initial_metadata(),
        error.trailing_metadata(),
        error.details(),
        error.debug_error_string(),
    )
    renewed.__cause__ = error.__cause__
    renewed.__context__ = error.__context__
    renewed.__suppress_context__ = error.__suppress_context__
    return renewed.with_traceback(error.__traceback__)


class LocalCall(grpc.aio.Call):
    """A call whose outcome is decided on this side, by `settle()`."""

    def __init__(self) -> None:
        self._settled = False
        self._error: BaseException | None = None
        self._waiters: list[asyncio.Future[None]] = []
        self._callbacks = DoneCallbacks()

    @classmethod
    def failed(cls, error: BaseException) -> LocalCall:
        """A call that has ended with `error`."""
        call = cls()
        call.settle(error)
        return call

    def settle(self, error: BaseException | None) -> bool:
        """Ends the call; with success, if `error` is None. False if it was over already."""
        if self._settled:
            return False
        self._settled = True
        self._error = error
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._callbacks.run(self, asyncio._get_running_loop())
        return True

    def raise_for_error(self) -> None:
        """Raises what the call has failed with, if it has.

        An AioRpcError is a new one each time: a raised error holds the frames it went
        through, and these hold the call, which must not hold the error in turn.
        """
        if type(self._error) is grpc.aio.AioRpcError:
            raise _renewed(self._error)
        if self._error is not None:
            raise self._error

    @property
    def is_broken(self) -> bool:
        """Whether it has failed with an exception that no RPC ends with."""
        return isinstance(self._error, Exception) and not isinstance(self._error, grpc.aio.AioRpcError)

    def cancel(self) -> bool:
        return self.settle(asyncio.CancelledError())

    def cancelled(self) -> bool:
        if isinstance(self._error, grpc.aio.AioRpcError):
            return self._error.code() is grpc.StatusCode.CANCELLED
        return isinstance(self._error, asyncio.CancelledError)

    def done(self) -> bool:
        return self._settled

    def add_done_callback(self, callback: DoneCallback) -> None:
        if self._settled:
            callback(self)
        else:
            self._callbacks.add(callback)

    def time_remaining(self) -> float | None:
        return None

    async def _status(self) -> grpc.aio.AioRpcError:
        if not self._settled:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
        return _snapshot(self._error)

    async def initial_metadata(self) -> grpc.aio.Metadata:
        return (await self._status()).initial_metadata()

    async def trailing_metadata(self) -> grpc.aio.Metadata:
        return (await self._status()).trailing_metadata()

    async def code(self) -> grpc.StatusCode:
        return (await self._status()).code()

    async def details(self) -> str:
        return (await self._status()).details() or ""

    async def debug_error_string(self) -> str | None:
        return (await self._status()).debug_error_string()

    async def wait_for_connection(self) -> None:
        self.raise_for_error()


class _UnaryAnswer(LocalCall):
    """A response that an interceptor returned by itself."""

    def __init__(self, response: Any) -> None:
        super().__init__()
        self._response = response
        self.settle(None)

    def __await__(self) -> Generator[Any, None, Any]:
        return self._response
        yield  # makes this a generator


class _IteratorAnswer(grpc.aio.Call):
    """Responses from an iterator that an interceptor returned; all else from a call.

    An async generator that stands at a `yield` hears nothing of a cancel by itself. One
    that nobody reads on is closed, so that what it does at its end is done.

    Args:
      call: the call that the interceptor got and, as far as one can tell, reads from;
        None if it asked for none.
      responses: what it returned.
    """

    # The task that closes the generator.
    _closing: asyncio.Task[None] | None = None

    def __init__(self, call: grpc.aio.Call | None, responses: AsyncIterable[Any]) -> None:
        self._call = LocalCall() if call is None else call
        self._responses = aiter(responses)
        self._loop = asyncio.get_running_loop()

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        if self._closing is not None:
            raise asyncio.CancelledError
        try:
            return await anext(self._responses)
        except StopAsyncIteration:
            self._ended(None)
            raise
        except BaseException as error:
            self._ended(error)
            raise

    def _ended(self, error: BaseException | None) -> None:
        if isinstance(self._call, LocalCall):
            self._call.settle(error)
        elif error is not None:
            # Nobody will read on. Without this, code() would wait for the server.
            self._call.cancel()

    async def read(self) -> Any:
        return await anext(self, grpc.aio.EOF)

    def cancel(self) -> bool:
        cancelled = self._call.cancel()
        if cancelled and not self._loop.is_closed():
            # Not at once: who reads on has the interceptor learn of it in its own way.
            self._loop.call_soon(self._close)
        return cancelled

    def _close(self) -> None:
        responses = self._responses
        if isinstance(responses, AsyncGenerator) and not getattr(responses, "ag_running", False):
            self._closing = self._loop.create_task(_close(responses))

    def cancelled(self) -> bool:
        return self._call.cancelled()

    def done(self) -> bool:
        return self._call.done()

    def add_done_callback(self, callback: DoneCallback) -> None:
        self._call.add_done_callback(callback)

    def time_remaining(self) -> float | None:
        return self._call.time_remaining()

    async def initial_metadata(self) -> grpc.aio.Metadata:
        return await self._call.initial_metadata()

    async def trailing_metadata(self) -> grpc.aio.Metadata:
        return await self._call.trailing_metadata()

    async def code(self) -> grpc.StatusCode:
        return await self._call.code()

    async def details(self) -> str:
        return await self._call.details()

    async def debug_error_string(self) -> str | None:
        # Every call has it, though the abstract class does not ask for it.
        result: str | None = await self._call.debug_error_string()  # type: ignore[attr-defined]
        return result

    async def wait_for_connection(self) -> None:
        await self._call.wait_for_connection()


async def _close(generator: AsyncGenerator[Any, Any]) -> None:
    try:
        await generator.aclose()
    except Exception:
        _log.exception("an interceptor's generator raised when its call was cancelled")


class _IteratorRequests:
    """For calls whose requests come from an iterator: the program's, or its write()'s."""

    async def write(self, request: Any) -> None:
        raise grpc.aio.UsageError(STYLES_MIXED)

    async def done_writing(self) -> None:
        raise grpc.aio.UsageError(STYLES_MIXED)


class UnaryUnaryAnswer(_UnaryAnswer, grpc.aio.UnaryUnaryCall[Any, Any]):
    """A response in place of a unary-unary call."""


class StreamUnaryAnswer(_IteratorRequests, _UnaryAnswer, grpc.aio.StreamUnaryCall[Any, Any]):
    """A response in place of a stream-unary call."""


class UnaryStreamAnswer(_IteratorAnswer, grpc.aio.UnaryStreamCall[Any, Any]):
    """An iterator in place of a unary-stream call."""


class StreamStreamAnswer(_IteratorRequests, _IteratorAnswer, grpc.aio.StreamStreamCall[Any, Any]):
    """An iterator in place of a stream-stream call."""
