# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Which service a servicer is of."""

from __future__ import annotations

import sys
from typing import Any

from uvgrpc._rpc.service import Method, Service


def service_of(servicer: Any, service: Any) -> Service:
    """The service that `service` stands for; what the servicer's class says when that is None.

    Args:
      service: a Service, a generated class, what proto() or reflect() gives for a service, a
        servicer class of a `*_pb2_grpc` module, or protobuf's descriptor of the service.

    Raises:
      TypeError: it stands for none; or it is None and the class does not say.
    """
    told = type(servicer) if service is None else service
    found = _service(servicer, told)
    if found is not None:
        return found
    if service is not None:
        raise TypeError(
            f"{service!r} is no service: it may be one of uvgrpc.proto()'s or uvgrpc.reflect()'s, a "
            "generated class (of *_uvgrpc or *_pb2_grpc), or a descriptor"
        )
    raise TypeError(
        f"which service {type(servicer).__qualname__} is of its class does not say: derive it from a "
        "generated servicer, or name it, as in add_servicer(servicer, protos.Greeter)"
    )


def _service(servicer: Any, told: Any) -> Service | None:
    if isinstance(told, Service):
        return told
    said = getattr(told, "__uvgrpc_service__", None)
    if isinstance(said, Service):
        return said
    if isinstance(told, type):
        return _of_pb2_grpc(servicer, told)
    if hasattr(told, "methods") and hasattr(told, "full_name"):
        return _of_descriptor(told)
    return None


def _of_descriptor(descriptor: Any) -> Service:
    from google.protobuf.message_factory import GetMessageClass

    methods = {
        method.name: Method.of_messages(
            method.name,
            GetMessageClass(method.input_type),
            GetMessageClass(method.output_type),
            request_streaming=method.client_streaming,
            response_streaming=method.server_streaming,
        )
        for method in descriptor.methods
    }
    return Service(descriptor.full_name, methods)


def _of_pb2_grpc(servicer: Any, told: type) -> Service | None:
    """The service of a class in a `*_pb2_grpc` module: its own functions tell it to a server."""
    for base in told.__mro__:
        module = sys.modules.get(base.__module__)
        add = getattr(module, f"add_{base.__name__}_to_server", None)
        if add is not None:
            listener = _Listener()
            add(_Attributes(servicer), listener)
            return listener.service
    return None


class _Attributes:
    """A servicer that has every method: what it lacks is None."""

    def __init__(self, servicer: Any) -> None:
        self._servicer = servicer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._servicer, name, None)


class _Listener:
    """Stands where generated functions expect a server."""

    service: Service | None = None

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        for generic in handlers:
            paths = getattr(generic, "_method_handlers", {})
            named = {path.rpartition("/")[2]: handler for path, handler in paths.items()}
            self.add_registered_method_handlers(generic.service_name(), named)

    def add_registered_method_handlers(self, name: str, handlers: Any) -> None:
        methods = {
            method: Method(
                method,
                handler.request_streaming,
                handler.response_streaming,
                None,
                handler.request_deserializer,
                handler.response_serializer,
                None,
            )
            for method, handler in handlers.items()
        }
        self.service = Service(name, methods)
