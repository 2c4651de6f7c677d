# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What a service consists of, for those who serve it and those who call it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from uvgrpc._runtime.record import Record

Serializer = Callable[[Any], bytes]
Deserializer = Callable[[bytes], Any]


class Method(Record):
    """A method of a service.

    Attributes:
      name: without the service's.
      request_streaming: whether there is a stream of requests.
      response_streaming: whether there is a stream of responses.
      request_serializer: turns a request into bytes; None for requests that are bytes, as
        below.
      request_deserializer: turns bytes into a request.
      response_serializer: turns a response into bytes.
      response_deserializer: turns bytes into a response.
    """

    name: str
    request_streaming: bool
    response_streaming: bool
    request_serializer: Serializer | None
    request_deserializer: Deserializer | None
    response_serializer: Serializer | None
    response_deserializer: Deserializer | None

    @classmethod
    def of_messages(
        cls, name: str, request: Any, response: Any, *, request_streaming: bool, response_streaming: bool
    ) -> Method:
        """A method of protobuf messages, given their classes."""
        return cls(
            name,
            request_streaming,
            response_streaming,
            request.SerializeToString,
            request.FromString,
            response.SerializeToString,
            response.FromString,
        )


class Service(Record):
    """A service.

    Attributes:
      name: with its package, "helloworld.Greeter".
      methods: by their names.
    """

    name: str
    methods: Mapping[str, Method]

    def path(self, method: str) -> str:
        """The path of a method, as it is on the wire."""
        return f"/{self.name}/{method}"
