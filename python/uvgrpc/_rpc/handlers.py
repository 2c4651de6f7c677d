# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""From the methods of a servicer to handlers: which shape each has is seen from its signature."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import grpc

from uvgrpc._rpc.context import BehindInterceptors
from uvgrpc._rpc.service import Method, Service

# At run time grpc's class takes no types.
if TYPE_CHECKING:
    _RpcMethodHandler = grpc.RpcMethodHandler[Any, Any]
else:
    _RpcMethodHandler = grpc.RpcMethodHandler

_Parameter = inspect.Parameter
_POSITIONAL = (_Parameter.POSITIONAL_ONLY, _Parameter.POSITIONAL_OR_KEYWORD)

# By whether requests, and responses, are streams: what a method is, and what its handler may be.
_ARITIES = {
    (False, False): (
        "a single request and a single response",
        "async def {name}(self, request, context), returning the response",
    ),
    (False, True): (
        "a single request and a stream of responses",
        "async def {name}(self, request, context), yielding the responses or sending them by context.send(); "
        "or async def {name}(self, context), with context.receive() and context.send()",
    ),
    (True, False): (
        "a stream of requests and a single response",
        "async def {name}(self, requests, context), returning the response; or "
        "async def {name}(self, context), with context.receive(), returning the response",
    ),
    (True, True): (
        "streams both ways",
        "async def {name}(self, requests, context), yielding the responses or sending them by "
        "context.send(); or async def {name}(self, context), with context.receive() and context.send()",
    ),
}


class Handler(_RpcMethodHandler):
    """A method's handler, as servers take it.

    Attributes:
      messages: a coroutine function to call with nothing but the context, or None; the native
        server calls it. The behavior that grpc.aio knows is there in any case, for interceptors.
    """

    def __init__(self, method: Method, behavior: Callable[..., Any], messages: Any) -> None:
        self.request_streaming = method.request_streaming
        self.response_streaming = method.response_streaming
        self.request_deserializer = method.request_deserializer
        self.response_serializer = method.response_serializer
        self.messages = messages
        arity = (method.request_streaming, method.response_streaming)
        self.unary_unary = behavior if arity == (False, False) else None
        self.unary_stream = behavior if arity == (False, True) else None
        self.stream_unary = behavior if arity == (True, False) else None
        self.stream_stream = behavior if arity == (True, True) else None


def handlers_of(servicer: Any, service: Service) -> dict[str, Handler]:
    """The handlers of a servicer, by the methods' names. Methods that it does not have are left out.

    Raises:
      TypeError: one of them has a shape that does not fit its method, or there are none at all.
    """
    handlers = {}
    for name, method in service.methods.items():
        function = getattr(servicer, name, None)
        if function is not None:
            handlers[name] = _handler(servicer, function, method)
    if not handlers:
        names = ", ".join(service.methods)
        raise TypeError(f"{_name_of(servicer)} has none of the methods of {service.name}: {names}")
    return handlers


def _handler(servicer: Any, function: Any, method: Method) -> Handler:
    wrong = _Wrong(servicer, function, method)
    if not callable(function):
        raise wrong.because("it cannot be called")
    makes_generator = _any(inspect.isasyncgenfunction, function)
    is_coroutine = _any(inspect.iscoroutinefunction, function)
    if not method.response_streaming and (makes_generator or _any(inspect.isgeneratorfunction, function)):
        raise wrong.because("it yields, but there is one response to return")
    if not _takes_only_context(function, wrong):
        return Handler(method, function, None)
    if not method.request_streaming and not method.response_streaming:
        raise wrong.because("it takes one argument")
    if makes_generator:
        function = _sending(function)
    elif not is_coroutine:
        raise wrong.because("one that takes only the context must be async")
    return Handler(method, _for_interceptors(function, method), function)


def _takes_only_context(function: Any, wrong: _Wrong) -> bool:
    """Whether it is to be called with the context alone; else with request, or requests, and context."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False  # of what has no signature the usual one is expected
    positional = [one for one in parameters if one.kind in _POSITIONAL]
    needed = [one for one in positional if one.default is _Parameter.empty]
    takes_any = any(one.kind is _Parameter.VAR_POSITIONAL for one in parameters)
    named = [one for one in parameters if one.kind is _Parameter.KEYWORD_ONLY]
    if any(one.default is _Parameter.empty for one in named):
        names = ", ".join(one.name for one in named)
        raise wrong.because(f"nobody gives it the keyword arguments {names}")
    if len(needed) > 2:
        raise wrong.because(f"it takes {len(needed)} arguments")
    if len(needed) == 2 or takes_any or (len(positional) >= 2 and not needed):
        return False
    if not positional:
        raise wrong.because("it takes no arguments")
    if len(positional) == 1 and positional[0].name.startswith("request"):
        raise wrong.because(f"the context is missing behind {positional[0].name!r}")
    return True


class _Wrong:
    """Makes the error for a method of a servicer that has the wrong shape."""

    def __init__(self, servicer: Any, function: Any, method: Method) -> None:
        self._where = f"{_name_of(servicer)}.{method.name}"
        self._function = function
        self._method = method

    def because(self, reason: str) -> TypeError:
        try:
            signature = str(inspect.signature(self._function))
        except (TypeError, ValueError):
            signature = ""
        what, shapes = _ARITIES[self._method.request_streaming, self._method.response_streaming]
        return TypeError(
            f"{self._where}{signature} cannot serve a method with {what}: {reason}. "
            f"It may be {shapes.format(name=self._method.name)}"
        )


def _name_of(servicer: Any) -> str:
    return servicer.__qualname__ if isinstance(servicer, type) else type(servicer).__qualname__


def _any(is_such: Callable[[Any], bool], function: Any) -> bool:
    """Whether it holds for a function, or for the __call__ of an object."""
    return is_such(function) or is_such(getattr(type(function), "__call__", None))  # noqa: B004


def _sending(function: Any) -> Any:
    """An async generator that takes only the context, as a coroutine function that sends."""

    async def send(context: Any) -> None:
        messages = function(context)
        try:
            async for message in messages:
                await context.send(message)
        finally:
            await messages.aclose()

    return send


def _for_interceptors(function: Any, method: Method) -> Any:
    """What takes only the context, in the shape that interceptors know."""

    async def behavior(request: Any, context: Any) -> Any:
        own = BehindInterceptors(request, context, method.request_streaming, method.response_streaming)
        response = await function(own)
        if method.response_streaming:
            if response is not None:
                raise TypeError(
                    f"the handler of {method.name} returned a message: its responses are a stream"
                )
            return None
        answers = [*own.responses, *([] if response is None else [response])]
        if len(answers) != 1:
            raise TypeError(f"the handler of {method.name} gave {len(answers)} responses, and must give one")
        return answers[0]

    return behavior
