# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Services and methods of protos: to be called on a target or a channel, and to be served."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from types import TracebackType
from typing import Any

import grpc
from google.protobuf.message import Message

from uvgrpc._protos.channels import Options, channel_for
from uvgrpc._protos.suggestions import missing
from uvgrpc._rpc.deadlines import Propagation
from uvgrpc._rpc.service import Method, Service
from uvgrpc.aio._multi_callable import Metadata

_ARITIES = {
    (False, False): "unary_unary",
    (False, True): "unary_stream",
    (True, False): "stream_unary",
    (True, True): "stream_stream",
}


def messages_of(message_type: type[Message], what: str) -> Callable[[Any], Message]:
    """A function that gives what it is given as a message of a type.

    A dict has the message's fields. A message of a generated class passes, too, though that may
    be another class of the same name: all that is done with it is to serialize it.

    Args:
      message_type: the class of protos.
      what: what the message is, for the error that it is none.
    """
    full_name = message_type.DESCRIPTOR.full_name

    def as_message(value: Any) -> Message:
        if value.__class__ is message_type:
            message: Message = value
            return message
        if isinstance(value, Message):
            if value.DESCRIPTOR.full_name == full_name:
                return value
            got = value.DESCRIPTOR.full_name
        elif isinstance(value, Mapping):
            return message_type(**value)
        else:
            got = type(value).__qualname__
        raise TypeError(f"{what} must be a {full_name}, or a dict of its fields, got {got}")

    return as_message


def serializer_of(message_type: type[Message], what: str) -> Callable[[Any], bytes]:
    """As messages_of(), serialized."""
    as_message = messages_of(message_type, what)

    def serialize(value: Any) -> bytes:
        if value.__class__ is not message_type:
            value = as_message(value)
        serialized: bytes = value.SerializeToString()
        return serialized

    return serialize


def method_of(
    name: str, request: Any, response: Any, request_streaming: bool, response_streaming: bool
) -> Method:
    """A method, from its name and its messages' classes."""
    return Method(
        name,
        request_streaming,
        response_streaming,
        serializer_of(request, f"a request of {name}"),
        request.FromString,
        serializer_of(response, f"a response of {name}"),
        response.FromString,
    )


class Stream:
    """A streaming call that has been started: what calling a method of protos with streams gives.

    Awaited, it gives the call. It can be used in place of the call as well, be iterated over and be
    entered.
    """

    __slots__ = ("_call",)

    def __init__(self, call: Any) -> None:
        self._call = call

    def __await__(self) -> Generator[Any, None, Any]:
        return self._call
        yield

    def __aiter__(self) -> Any:
        return self._call.__aiter__()

    async def __aenter__(self) -> Any:
        return await self._call.__aenter__()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        await self._call.__aexit__(exc_type, exc_val, exc_tb)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)

    def __repr__(self) -> str:
        return repr(self._call)


class ProtoMethod:
    """A method of a service, as `protos.Greeter.Hi` or `protos.Hi` give it.

    Args:
      service: the service.
      method: the method.
      request_type: the class of its requests.
    """

    def __init__(self, service: Service, method: Method, request_type: type[Message]) -> None:
        self.__name__ = method.name
        self.__qualname__ = f"{service.name}.{method.name}"
        self._path = service.path(method.name)
        self._method = method
        self._arity = _ARITIES[method.request_streaming, method.response_streaming]
        self._as_request = messages_of(request_type, f"the request of {method.name}")
        # What is awaited for one response is the call itself.
        self._wrap: Callable[[Any], Any] | None = Stream if method.response_streaming else None

    def __call__(
        self,
        target: Any = None,
        request: Any = None,
        *,
        credentials: Any = None,
        channel: Any = None,
        options: Options | None = None,
        timeout: float | None = None,
        metadata: Metadata | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
        propagate: Propagation | None = None,
    ) -> Any:
        """Starts a call.

        Args:
          target: a server's address, in gRPC's name syntax, or a channel.
          request: the request, or a dict of its fields; for a stream of requests, what yields
            them, or None to send() them.
          credentials: of the channel to the target, None for one without transport security; of
            the call, when it is given a channel.
          channel: a channel, in place of the target.
          options: of the channel to the target.
          timeout, metadata, wait_for_ready, compression, propagate: see UnaryUnaryMultiCallable.

        Returns:
          For one response, the call, which is awaited for the response. For a stream of them, a
          Stream: the call, which may be awaited, for itself.

        Raises:
          TypeError: the request is of another type, or the arguments do not go together.
          RuntimeError: no event loop is running.
        """
        if channel is not None and request is None and not isinstance(target, (str, bytes)):
            # protos.Hi(request, channel=channel)
            target, request = None, target
        on, call_credentials = channel_for(target, channel, credentials, options)
        started = self._start(
            on,
            request,
            timeout=timeout,
            metadata=metadata,
            credentials=call_credentials,
            wait_for_ready=wait_for_ready,
            compression=compression,
            propagate=propagate,
        )
        return started if self._wrap is None else self._wrap(started)

    def _start(self, channel: Any, request: Any, propagate: Propagation | None, **parameters: Any) -> Any:
        if not self._method.request_streaming:
            request = self._as_request(request)
        if propagate is not None:
            # No parameter of grpc.aio's.
            parameters["propagate"] = propagate
        return self._on(channel)(request, **parameters)

    def _on(self, channel: Any) -> Any:
        """The multi-callable of a channel."""
        method = self._method
        make = getattr(channel, self._arity)
        return make(self._path, method.request_serializer, method.response_deserializer)

    def __repr__(self) -> str:
        return f"<{self._arity} method {self._path}>"


class _TargetMethod:
    """A method of a stub for a target: each call takes the channel that the target has then."""

    def __init__(self, method: ProtoMethod, target: str, credentials: Any, options: Options | None) -> None:
        self._method = method
        self._channel_arguments = (target, None, credentials, options)

    def __call__(
        self,
        request: Any = None,
        *,
        timeout: float | None = None,
        metadata: Metadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
        propagate: Propagation | None = None,
    ) -> Any:
        """Starts a call. See the multi-callable of the arity for arguments and errors."""
        channel, _ = channel_for(*self._channel_arguments)
        return self._method._start(
            channel,
            request,
            timeout=timeout,
            metadata=metadata,
            credentials=credentials,
            wait_for_ready=wait_for_ready,
            compression=compression,
            propagate=propagate,
        )


class ProtoStub:
    """The methods of a service on a channel, or to a target: `protos.Greeter(channel)`."""

    def __init__(self, service: ProtoService, methods: Mapping[str, Any]) -> None:
        self.__uvgrpc_service__ = service.__uvgrpc_service__
        self.__dict__.update(methods)

    def __getattr__(self, name: str) -> Any:
        raise _no_method(self.__uvgrpc_service__, name)

    def __dir__(self) -> Iterable[str]:
        return self.__uvgrpc_service__.methods

    def __repr__(self) -> str:
        return f"<stub of {self.__uvgrpc_service__.name}>"


class ProtoService:
    """A service of protos.

    Its attributes are its methods. Called with a channel or a target it gives a stub.
    `server.add_servicer()` takes it for the service that a class implements.
    """

    __uvgrpc_service__: Service

    def __init__(self, service: Service, methods: Mapping[str, ProtoMethod]) -> None:
        self.__uvgrpc_service__ = service
        self.__dict__.update(methods)

    def __call__(self, target: Any, *, credentials: Any = None, options: Options | None = None) -> ProtoStub:
        """A stub.

        Args:
          target: a channel, or a server's address, in gRPC's name syntax.
          credentials: of channels to the target; None for those without transport security.
          options: of channels to the target.

        Raises:
          TypeError: it is neither, or `credentials` or `options` were given with a channel.
        """
        methods: dict[str, ProtoMethod] = {
            name: self.__dict__[name] for name in self.__uvgrpc_service__.methods
        }
        if isinstance(target, str):
            return ProtoStub(
                self,
                {
                    name: _TargetMethod(method, target, credentials, options)
                    for name, method in methods.items()
                },
            )
        channel, call_credentials = channel_for(target, None, credentials, options)
        if call_credentials is not None:
            raise TypeError("credentials of calls are given to the calls of a stub")
        return ProtoStub(self, {name: method._on(channel) for name, method in methods.items()})

    def __getattr__(self, name: str) -> Any:
        raise _no_method(self.__uvgrpc_service__, name)

    def __dir__(self) -> Iterable[str]:
        return self.__uvgrpc_service__.methods

    def __repr__(self) -> str:
        return f"<service {self.__uvgrpc_service__.name}>"


def _no_method(service: Service, name: str) -> AttributeError:
    return missing(f"the service {service.name}", name, {"methods": service.methods})
