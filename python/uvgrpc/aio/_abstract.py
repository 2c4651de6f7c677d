# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""grpc.aio's abstract classes as bases: for type checkers of messages of any type.

Not all of them are generic at run time before grpcio 1.84.
"""

from typing import TYPE_CHECKING, Any

import grpc.aio

if TYPE_CHECKING:
    UnaryUnaryCall = grpc.aio.UnaryUnaryCall[Any, Any]
    UnaryStreamCall = grpc.aio.UnaryStreamCall[Any, Any]
    StreamUnaryCall = grpc.aio.StreamUnaryCall[Any, Any]
    StreamStreamCall = grpc.aio.StreamStreamCall[Any, Any]
    UnaryUnaryMultiCallable = grpc.aio.UnaryUnaryMultiCallable[Any, Any]
    UnaryStreamMultiCallable = grpc.aio.UnaryStreamMultiCallable[Any, Any]
    StreamUnaryMultiCallable = grpc.aio.StreamUnaryMultiCallable[Any, Any]
    StreamStreamMultiCallable = grpc.aio.StreamStreamMultiCallable[Any, Any]
    ServicerContext = grpc.aio.ServicerContext[Any, Any]
else:
    from grpc.aio import (
        ServicerContext,
        StreamStreamCall,
        StreamStreamMultiCallable,
        StreamUnaryCall,
        StreamUnaryMultiCallable,
        UnaryStreamCall,
        UnaryStreamMultiCallable,
        UnaryUnaryCall,
        UnaryUnaryMultiCallable,
    )

__all__ = (
    "ServicerContext",
    "StreamStreamCall",
    "StreamStreamMultiCallable",
    "StreamUnaryCall",
    "StreamUnaryMultiCallable",
    "UnaryStreamCall",
    "UnaryStreamMultiCallable",
    "UnaryUnaryCall",
    "UnaryUnaryMultiCallable",
)
