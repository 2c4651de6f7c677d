# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What the classes that protoc-gen-uvgrpc writes stand on.

A streaming method may be written in two or three shapes, and is checked against all of them: a generated
servicer declares an attribute of one of the types below, which a method then overrides.

Each shape is there twice. mypy compares the method as it is when bound, as is right; pyright compares the
plain function, `self` included, with the type of a variable. AnyServicer fits that `self` for pyright alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine
from typing import Any, NoReturn, TypeAlias, TypeVar

import grpc

from uvgrpc._rpc.any_servicer import AnyServicer
from uvgrpc._rpc.context import ServicerContext
from uvgrpc._rpc.errors import RpcError

Request = TypeVar("Request")
Response = TypeVar("Response")

UnaryStreamHandler: TypeAlias = (
    Callable[[AnyServicer, Request, ServicerContext[Request, Response]], AsyncIterable[Response]]
    | Callable[[AnyServicer, Request, ServicerContext[Request, Response]], Coroutine[Any, Any, None]]
    | Callable[[AnyServicer, ServicerContext[Request, Response]], Coroutine[Any, Any, None]]
    | Callable[[Request, ServicerContext[Request, Response]], AsyncIterable[Response]]
    | Callable[[Request, ServicerContext[Request, Response]], Coroutine[Any, Any, None]]
    | Callable[[ServicerContext[Request, Response]], Coroutine[Any, Any, None]]
)
StreamUnaryHandler: TypeAlias = (
    Callable[
        [AnyServicer, AsyncIterator[Request], ServicerContext[Request, Response]],
        Coroutine[Any, Any, Response],
    ]
    | Callable[[AnyServicer, ServicerContext[Request, Response]], Coroutine[Any, Any, Response | None]]
    | Callable[[AsyncIterator[Request], ServicerContext[Request, Response]], Coroutine[Any, Any, Response]]
    | Callable[[ServicerContext[Request, Response]], Coroutine[Any, Any, Response | None]]
)
StreamStreamHandler: TypeAlias = (
    Callable[
        [AnyServicer, AsyncIterator[Request], ServicerContext[Request, Response]], AsyncIterable[Response]
    ]
    | Callable[
        [AnyServicer, AsyncIterator[Request], ServicerContext[Request, Response]], Coroutine[Any, Any, None]
    ]
    | Callable[[AnyServicer, ServicerContext[Request, Response]], Coroutine[Any, Any, None]]
    | Callable[[AsyncIterator[Request], ServicerContext[Request, Response]], AsyncIterable[Response]]
    | Callable[[AsyncIterator[Request], ServicerContext[Request, Response]], Coroutine[Any, Any, None]]
    | Callable[[ServicerContext[Request, Response]], Coroutine[Any, Any, None]]
)


async def unimplemented(servicer: object, request: object, context: ServicerContext[Any, Any], /) -> NoReturn:
    """What a generated servicer does for a method that is not overridden, of any arity.

    Raises:
      RpcError: always, with UNIMPLEMENTED.
    """
    raise RpcError(grpc.StatusCode.UNIMPLEMENTED, "Method not implemented!")
