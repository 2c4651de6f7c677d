# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How the reference reads this code base, where griffe would read something else."""

from __future__ import annotations

import re
from typing import Any

from griffe import Class, Extension

AWAITED = re.compile(r"^Raises, when awaited:\n((?:[ ]+\S.*\n?)+)", re.MULTILINE)
ITEM = re.compile(r"^([ ]+[\w.]+: )", re.MULTILINE)


def _awaited(found: re.Match[str]) -> str:
    return "Raises:\n" + ITEM.sub(r"\1when awaited: ", found[1])


class OwnStyle(Extension):
    def on_object(self, *, obj: Any, **_: Any) -> None:
        # griffe knows no section of this title: its items say it, in the section that it knows.
        if obj.docstring is not None:
            said = AWAITED.sub(_awaited, obj.docstring.value)
            head, *more = re.split(r"^Raises:\n", said, flags=re.MULTILINE)
            obj.docstring.value = "Raises:\n".join([head, "\n".join(map(str.rstrip, more))]) if more else said

    def on_class(self, *, cls: Class, **_: Any) -> None:
        # What a mixin says of its siblings for type checkers: `cancel: Any`.
        for name, member in list(cls.members.items()):
            if member.is_attribute and member.docstring is None and str(member.annotation) == "Any":
                cls.del_member(name)
