# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""grpc.aio's API on uvloop's own loop, without changing grpc.aio.

The value types, errors and abstract classes are grpc.aio's own objects, so that
`except grpc.aio.AioRpcError` and `isinstance(x, grpc.aio.Channel)` mean the same.
"""

from grpc.aio import (
    EOF,
    AbortError,
    AioRpcError,
    BaseError,
    Call,
    Channel,
    ClientCallDetails,
    ClientInterceptor,
    InterceptedUnaryUnaryCall,
    InternalError,
    Metadata,
    RpcContext,
    Server,
    ServerInterceptor,
    ServicerContext,
    StreamStreamCall,
    StreamStreamClientInterceptor,
    StreamStreamMultiCallable,
    StreamUnaryCall,
    StreamUnaryClientInterceptor,
    StreamUnaryMultiCallable,
    UnaryStreamCall,
    UnaryStreamClientInterceptor,
    UnaryStreamMultiCallable,
    UnaryUnaryCall,
    UnaryUnaryClientInterceptor,
    UnaryUnaryMultiCallable,
    UsageError,
)

# Importable from grpc.aio too, though its __all__ does not list it.
from grpc.aio import ChannelArgumentType as ChannelArgumentType  # type: ignore[attr-defined]

from uvgrpc.aio._channel import insecure_channel, secure_channel
from uvgrpc.aio._server import server


def init_grpc_aio() -> None:
    """Does nothing: uvgrpc is ready once imported. Kept for programs that call it."""


def shutdown_grpc_aio() -> None:
    """Does nothing: closing the event loop ends what uvgrpc has on it."""


__all__ = (
    "EOF",
    "AbortError",
    "AioRpcError",
    "BaseError",
    "Call",
    "Channel",
    "ClientCallDetails",
    "ClientInterceptor",
    "InterceptedUnaryUnaryCall",
    "InternalError",
    "Metadata",
    "RpcContext",
    "Server",
    "ServerInterceptor",
    "ServicerContext",
    "StreamStreamCall",
    "StreamStreamClientInterceptor",
    "StreamStreamMultiCallable",
    "StreamUnaryCall",
    "StreamUnaryClientInterceptor",
    "StreamUnaryMultiCallable",
    "UnaryStreamCall",
    "UnaryStreamClientInterceptor",
    "UnaryStreamMultiCallable",
    "UnaryUnaryCall",
    "UnaryUnaryClientInterceptor",
    "UnaryUnaryMultiCallable",
    "UsageError",
    "init_grpc_aio",
    "insecure_channel",
    "secure_channel",
    "server",
    "shutdown_grpc_aio",
)
