# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Like frozen dataclasses, each of which takes half a millisecond of an import."""

from __future__ import annotations

import inspect
from typing import Any, dataclass_transform


@dataclass_transform(frozen_default=True)
class Record:
    """Fields are what a subclass annotates: arguments, by position or name; compared, hashed and shown."""

    _fields: tuple[str, ...] = ()

    def __init_subclass__(cls) -> None:
        cls._fields = tuple(inspect.get_annotations(cls))
        setattr(cls, "__match_args__", cls._fields)  # noqa: B010 - mypy knows better than to let it

    def __init__(self, *values: Any, **named: Any) -> None:
        fields = dict(zip(self._fields, values, strict=False), **named)
        if len(values) + len(named) != len(fields) or fields.keys() != set(self._fields):
            raise TypeError(f"{type(self).__name__} has the fields ({', '.join(self._fields)})")
        self.__dict__.update(fields)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def _values(self) -> tuple[Any, ...]:
        return tuple(self.__dict__[field] for field in self._fields)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other._values() == self._values()

    def __hash__(self) -> int:
        return hash((type(self), self._values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}{self._values()!r}"
