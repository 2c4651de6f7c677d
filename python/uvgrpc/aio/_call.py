# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Client calls: grpc.aio's interface over _core.ClientCall."""

from __future__ import annotations

from typing import Any

import grpc
import grpc.aio

from uvgrpc import _core
from uvgrpc.aio._status import status_code


class Call(_core.ClientCall):
    """What the four arities share: the accessors of a call's outcome.

    Each of them waits for the outcome and never raises for it.
    """

    async def initial_metadata(self) -> grpc.aio.Metadata:
        """The metadata that the server sent first."""
        await self._wait_for_status()
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

    async def debug_error_string(self) -> str | None:
        """What core knows of a failure, for people to read."""
        await self._wait_for_status()
        return self._status_debug_string()

    async def wait_for_connection(self) -> None:
        """Waits until the server has begun to answer.

        Raises:
          AioRpcError: the call failed.
        """
        await self._wait_for_status()
        if self._status_number() != 0:
            raise self._error()

    async def _wait_for_status(self) -> None:
        if not self.done():
            await self._status_future()

    def _error(self) -> grpc.aio.AioRpcError:
        return grpc.aio.AioRpcError(
            status_code(self._status_number()),
            grpc.aio.Metadata.from_tuple(self._initial_metadata_pairs()),
            grpc.aio.Metadata.from_tuple(self._trailing_metadata_pairs()),
            details=self._status_details(),
            debug_error_string=self._status_debug_string(),
        )

    def __repr__(self) -> str:
        if not self.done():
            return f"<{type(self).__name__} object>"
        return (
            f"<{type(self).__name__} of RPC that terminated with:\n"
            f"\tstatus = {status_code(self._status_number())}\n"
            f'\tdetails = "{self._status_details()}"\n'
            f'\tdebug_error_string = "{self._status_debug_string()}"\n>'
        )

    __str__ = __repr__


class UnaryUnaryCall(Call, grpc.aio.UnaryUnaryCall[Any, Any]):
    """One request, one response. Await it for the response; as often as wanted.

    Raises, when awaited:
      AioRpcError: the call ended with another status than OK.
      asyncio.CancelledError: it was cancelled on this side. Cancelling the task that
        awaits cancels the call.
    """
