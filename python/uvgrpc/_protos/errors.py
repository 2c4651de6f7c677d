# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""What proto() and reflect() raise for files that cannot be used."""

from __future__ import annotations

from collections.abc import Sequence

from uvgrpc._runtime.record import Record


class Problem(Record):
    """One thing that is wrong with a file.

    Attributes:
      file: its name, as imports write it.
      line: of the file, from 1; None when it is about the file as a whole.
      column: from 1, with tabs to multiples of 8; None as above.
      message: protoc's words.
      text: the line of the file; empty when it is not known.
    """

    file: str
    line: int | None
    column: int | None
    message: str
    text: str

    def __str__(self) -> str:
        if self.line is None:
            return f"{self.file}: {self.message}"
        place = f"{self.file}:{self.line}:{self.column}: {self.message}"
        if not self.text or self.column is None:
            return place
        # protoc's columns count a tab as what leads to the next multiple of 8.
        return f"{place}\n    {self.text.expandtabs(8)}\n    {' ' * (self.column - 1)}^"


class ProtoError(Exception):
    """A .proto file, a descriptor set or what a server reflects cannot be used.

    Attributes:
      problems: what is wrong, as protoc says it; empty when that is all in the text.
    """

    problems: tuple[Problem, ...]

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__("\n".join([message, *map(str, problems)]))
        self.problems = tuple(problems)
