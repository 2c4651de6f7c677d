# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""A service as code is generated for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Class:
    """A message's class, as generated code writes it.

    Attributes:
      type: in a type; Any for what cannot be written as one.
      value: in an expression.
    """

    type: str
    value: str


@dataclass(frozen=True)
class Method:
    """A method.

    Attributes:
      name: as in the .proto file.
      attribute: the attribute of classes for it: the same, unless that cannot be written.
      hidden: where a stub has it, for one that is deprecated.
      comment: of the .proto file.
    """

    name: str
    attribute: str
    hidden: str
    request_streaming: bool
    response_streaming: bool
    request: Class
    response: Class
    comment: str
    deprecated: bool

    @property
    def arity(self) -> str:
        """As in the names of a channel's methods: "unary_stream"."""
        return "_".join(
            "stream" if one else "unary" for one in (self.request_streaming, self.response_streaming)
        )

    @property
    def arity_in_types(self) -> str:
        """As in the names of types: "UnaryStream"."""
        return self.arity.title().replace("_", "")

    @property
    def text(self) -> str:
        """What its docstrings say."""
        return paragraphs(self.comment, "Deprecated." if self.deprecated else "")


@dataclass(frozen=True)
class Service:
    """A service.

    Attributes:
      constant: the name of its uvgrpc.Service.
      left_out: methods that Python cannot have.
      comment: of the .proto file.
    """

    name: str
    full_name: str
    constant: str
    methods: Sequence[Method]
    left_out: Sequence[str]
    comment: str
    deprecated: bool

    def text(self, first: str, last: str = "") -> str:
        """What the docstring of one of its classes says."""
        return paragraphs(first, self.comment, last, "Deprecated." if self.deprecated else "")


def paragraphs(*texts: str) -> str:
    """Texts with a blank line between them, without those that are empty."""
    return "\n\n".join(text for text in texts if text)
