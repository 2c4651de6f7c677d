# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The error for a name that is not there."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

# Of each kind, how many names an error tells.
_SHOWN = 20


def missing(where: str, name: str, there: Mapping[str, Iterable[str]]) -> AttributeError:
    """The error that says what there is in place of `name`, and what comes close.

    Args:
      where: what was asked for it.
      there: the names of what there is, by kinds, in plural.
    """
    if name.startswith("__"):
        # Asked by programs, not people.
        return AttributeError(name)
    kinds = {kind: list(names) for kind, names in there.items()}
    return AttributeError(f"{where} has no {name!r}{_close_to(name, kinds)}: {_listed(kinds)}")


def _close_to(name: str, kinds: Mapping[str, list[str]]) -> str:
    by_lower: dict[str, str] = {}
    for names in kinds.values():
        for known in names:
            by_lower.setdefault(known.lower(), known)
    found = [by_lower[match] for match in difflib.get_close_matches(name.lower(), by_lower, n=3)]
    return f" (did you mean {' or '.join(found)}?)" if found else ""


def _listed(kinds: Mapping[str, list[str]]) -> str:
    parts = []
    for kind, names in kinds.items():
        if names:
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            parts.append(f"{kind} {', '.join(names[:_SHOWN])}{more}")
    return "it has the " + "; ".join(parts) if parts else "it is empty"
