# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How a server finds the handler of an RPC. Nothing here holds the server."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import grpc
import grpc.aio


class _CallDetails(NamedTuple):
    method: str
    invocation_metadata: Any


class HandlerCallDetails(_CallDetails, grpc.HandlerCallDetails):
    """What a generic handler is asked about: a method's path, and an RPC's metadata."""


class HandlerFinder:
    """Finds the handler of a method that core does not know. Holds no server."""

    def __init__(
        self,
        registered: Mapping[str, grpc.RpcMethodHandler[Any, Any]],
        generic_handlers: Sequence[grpc.GenericRpcHandler],
    ) -> None:
        self._registered = registered
        self._generic_handlers = generic_handlers

    def __call__(self, path: str, metadata: Any) -> grpc.RpcMethodHandler[Any, Any] | None:
        return self.find(HandlerCallDetails(path, metadata))

    def find(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        """The handler for `details`, which an interceptor may have made."""
        registered = self._registered.get(details.method)
        if registered is not None:
            return registered
        for generic in self._generic_handlers:
            handler = generic.service(details)
            if handler is not None:
                return handler
        return None


class Interception:
    """Asks the interceptors, the first one outermost, and then the handlers."""

    def __init__(self, interceptors: tuple[grpc.aio.ServerInterceptor, ...], finder: HandlerFinder) -> None:
        self._interceptors = interceptors
        self._finder = finder

    async def __call__(self, path: str, metadata: Any) -> grpc.RpcMethodHandler[Any, Any] | None:
        return await self._ask(0, HandlerCallDetails(path, metadata))

    async def _ask(
        self, index: int, details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        if index == len(self._interceptors):
            return self._finder.find(details)
        continuation = functools.partial(self._ask, index + 1)
        return await self._interceptors[index].intercept_service(continuation, details)
