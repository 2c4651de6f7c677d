# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Lines as `ruff format` leaves them, and docstrings."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# ruff's, when it is not told another.
WIDTH = 88


@dataclass(frozen=True)
class Group:
    """Something in brackets, to be broken after each of its parts when it does not fit in a line.

    Attributes:
      head: what stands before the parts, with the bracket.
      parts: what is separated by commas.
      tail: the closing bracket, and what follows; that may have brackets of its own.
    """

    head: str
    parts: Sequence[Group | str]
    tail: Group | str

    def flat(self) -> str:
        """All in one line."""
        parts = ", ".join(part if isinstance(part, str) else part.flat() for part in self.parts)
        tail = self.tail if isinstance(self.tail, str) else self.tail.flat()
        return f"{self.head}{parts}{tail}"


def statement(code: Group | str, level: int) -> Iterator[str]:
    """A statement, or the head of a compound one, as lines.

    Args:
      code: what to lay out.
      level: how many levels it is indented.
    """
    laid_out = list(_lines(code, level, ""))
    # Where a name is too long for the brackets to help, formatters have rules too intricate to follow.
    is_odd = max(len(laid_out[0]), len(laid_out[-1])) > WIDTH
    yield from laid_out[:-1]
    yield laid_out[-1] + ("  # fmt: skip" if is_odd else "")


def _lines(code: Group | str, level: int, end: str) -> Iterator[str]:
    indent = "    " * level
    whole = f"{indent}{code if isinstance(code, str) else code.flat()}{end}"
    if isinstance(code, str) or len(whole) <= WIDTH or not code.parts:
        yield whole
        return
    yield indent + code.head
    for part in code.parts:
        yield from _lines(part, level + 1, ",")
    yield from _lines(code.tail, level, end)


def docstring(text: str, level: int) -> Iterator[str]:
    """A docstring as lines; none if there is no text.

    Args:
      text: what it says, of any characters.
      level: how many levels it is indented.
    """
    first, rest = _paragraphs(text)
    if not first:
        return
    indent = "    " * level
    # A quote there would end the quotes early, or be taken for one of them.
    first = f" {first}" if first.startswith('"') else first
    if not rest:
        space = " " if first.endswith('"') else ""
        yield f'{indent}"""{first}{space}"""'
        return
    yield f'{indent}"""{first}'
    for line in rest:
        yield indent + line if line else ""
    yield f'{indent}"""'


def _paragraphs(text: str) -> tuple[str, list[str]]:
    """The first line, and the others without what they are all indented by."""
    text = "\n".join(map(_indented, text.replace("\r\n", "\n").split("\n")))
    first, _, rest = _escaped(text.strip()).partition("\n")
    return first.strip(), textwrap.dedent(rest).split("\n") if rest else []


def _indented(line: str) -> str:
    """A line indented by plain spaces, and with nothing at its end."""
    line = line.expandtabs().rstrip()
    text = line.lstrip()
    return " " * (len(line) - len(text)) + text


def _escaped(text: str) -> str:
    text = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return "".join(one if one == "\n" else _visible(one) for one in text)


def _visible(character: str) -> str:
    """A character, or the escape for what is a control, a separator of lines or the like."""
    if unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp"):
        return character
    return character.encode("unicode_escape").decode()
