# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Client calls: grpc.aio's interface over _core.ClientCall."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import weakref
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Iterable
from typing import Any

import grpc
import grpc.aio

from uvgrpc import _core
from uvgrpc.aio import _abstract
from uvgrpc.aio._status import status_code

_log = logging.getLogger("uvgrpc")

HALF_CLOSED = 'RPC is half closed after calling "done_writing".'
STYLES_MIXED = "The iterator and read/write APIs may not be mixed on a single RPC."


class Call(_core.ClientCall):
    """What the four arities share: the accessors of a call's outcome.

    Each of them waits for what it gives and never raises for a bad status.
    """

    _usage_error = grpc.aio.UsageError
    _end_of_stream = grpc.aio.EOF

    async def initial_metadata(self) -> grpc.aio.Metadata:
        """The metadata that the server sent first."""
        await self._wait_for_initial_metadata()
        return grpc.aio.Metadata.from_tuple(self._initial_metadata_pairs())

    async def trailing_metadata(self) -> grpc.aio.Metadata:
        """The metadata that the server sent last."""
        await self._wait_for_status()
        return grpc.aio.Metadata.from_tuple(self._trailing_metadata_pairs())

    async def code(self) -> grpc.StatusCode:
        """The status code."""
        await self._wait_for_status()
        return status_code(self._status_number())

    async def details(self) -> str:
        """The status message; empty when there is none."""
        await self._wait_for_status()
        return self._status_details()

    async def debug_error_string(self) -> str:
        """What core knows of a failure, for people to read; empty when there is none."""
        await self._wait_for_status()
        return self._status_debug_string() or ""

    async def _wait_for_status(self) -> None:
        if not self.done():
            await self._status_future()

    def _error(self) -> grpc.aio.AioRpcError:
        return grpc.aio.AioRpcError(
            status_code(self._status_number()),
            grpc.aio.Metadata.from_tuple(self._initial_metadata_pairs()),
            grpc.aio.Metadata.from_tuple(self._trailing_metadata_pairs()),
            details=self._status_details(),
            debug_error_string=self._status_debug_string() or "",
        )

    def __repr__(self) -> str:
        if not self.done():
            return f"<{type(self).__name__} object>"
        return (
            f"<{type(self).__name__} of RPC that terminated with:\n"
            f"\tstatus = {status_code(self._status_number())}\n"
            f'\tdetails = "{self._status_details()}"\n'
            f'\tdebug_error_string = "{self._status_debug_string() or ""}"\n>'
        )

    __str__ = __repr__


class _UnaryResponse(Call):
    """A call to await for its one response; as often as wanted."""

    # Not a method of Python's own around it: this is on the path of every call.
    __await__ = _core.ClientCall._await_response


class _StreamResponse(Call, _core.ClientStream):
    """A call whose responses are iterated over, or read one by one."""

    _iterates: bool | None = None

    def __aiter__(self) -> AsyncIterator[Any]:
        self._choose_response_style(True)
        return _core.ResponseIterator(self)

    async def read(self) -> Any:
        """The next response, or grpc.aio.EOF after the last one.

        Raises:
          AioRpcError: the call ended with another status than OK.
          asyncio.CancelledError: it was cancelled on this side.
          UsageError: the call is iterated over.
        """
        if not self.done():
            self._choose_response_style(False)
        return await self._next_response()

    def _choose_response_style(self, iterates: bool) -> None:
        if self._iterates is None:
            self._iterates = iterates
        elif self._iterates is not iterates:
            raise self._usage_error(STYLES_MIXED)

    async def wait_for_connection(self) -> None:
        """Waits until the request went out on a connection.

        Raises:
          AioRpcError: the call failed.
        """
        await self._wait_for_connection()


class _StreamRequest(Call, _core.ClientStream):
    """A call whose requests come from an iterator, or are written one by one."""

    _sender: asyncio.Task[None] | None = None
    _half_closed_text = HALF_CLOSED

    def __del__(self) -> None:
        sender = self._sender
        if sender is not None and not sender.done():
            # The garbage collector may run on any thread, and after the loop's end.
            with contextlib.suppress(RuntimeError):
                self._event_loop.call_soon_threadsafe(sender.cancel)

    def _send_from(self, requests: AsyncIterable[Any] | Iterable[Any] | None) -> None:
        """Starts to send what an iterator yields, if there is one."""
        if requests is None:
            return
        # The task must not keep the call alive: a call that nobody holds any more ends,
        # and the task ends with it.
        self._sender = self._event_loop.create_task(_send_requests(weakref.ref(self), requests))
        self.add_done_callback(_StreamRequest._stop_sending)

    def _stop_sending(self) -> None:
        if self._sender is not None:
            self._sender.cancel()

    async def write(self, request: Any) -> None:
        """Sends a request. Returns when the next one may be written.

        Raises:
          AioRpcError: the call ended with another status than OK.
          asyncio.CancelledError: it was cancelled on this side.
          asyncio.InvalidStateError: it is over, or done_writing() was called.
          UsageError: the requests come from an iterator.
        """
        if self._sender is not None:
            raise self._usage_error(STYLES_MIXED)
        await self._write(request)

    async def done_writing(self) -> None:
        """Says that no request follows. Idempotent.

        Raises:
          UsageError: the requests come from an iterator.
        """
        if self._sender is not None:
            raise self._usage_error(STYLES_MIXED)
        self._half_close()

    async def wait_for_connection(self) -> None:
        """Waits until the call's metadata went out on a connection.

        Raises:
          AioRpcError: the call failed.
        """
        await self._wait_for_connection()


async def _send_requests(
    reference: weakref.ref[_StreamRequest], requests: AsyncIterable[Any] | Iterable[Any]
) -> None:
    """Sends what an iterator yields. Ends the call when the iterator fails."""

    def push(request: Any) -> Awaitable[bool] | None:
        call = reference()
        return _nothing() if call is None else call._push(request)

    try:
        if isinstance(requests, AsyncIterable):
            async for request in requests:
                wait = push(request)
                if wait is not None and not await wait:
                    return
        else:
            for request in requests:
                wait = push(request)
                if wait is not None and not await wait:
                    return
    except Exception as error:
        _log.debug("Client request_iterator raised exception: %r", error)
        _cancel(reference)
    except BaseException:
        _cancel(reference)
        raise
    else:
        call = reference()
        if call is not None:
            call._half_close()


async def _nothing() -> bool:
    return False


def _cancel(reference: weakref.ref[_StreamRequest]) -> None:
    call = reference()
    if call is not None:
        call.cancel()


class UnaryUnaryCall(_UnaryResponse, _abstract.UnaryUnaryCall):
    """One request, one response. Await it for the response; as often as wanted.

    Raises, when awaited:
      AioRpcError: the call ended with another status than OK.
      asyncio.CancelledError: it was cancelled on this side. Cancelling the task that
        awaits cancels the call.
    """

    async def wait_for_connection(self) -> None:
        """Waits until the call is over.

        Raises:
          AioRpcError: the call failed.
          asyncio.CancelledError: it was cancelled on this side.
        """
        await self._wait_for_status()
        self._raise_for_status()


class UnaryStreamCall(_StreamResponse, _abstract.UnaryStreamCall):
    """One request, a stream of responses. Iterate over it, or read()."""


class StreamUnaryCall(_StreamRequest, _UnaryResponse, _abstract.StreamUnaryCall):
    """A stream of requests, one response. Await it for the response.

    See UnaryUnaryCall for what that raises.
    """


class StreamStreamCall(_StreamRequest, _StreamResponse, _abstract.StreamStreamCall):
    """Streams both ways. Iterate over it or read(); pass an iterator or write()."""
