# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Runs the cases of the groups that are named, or all."""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import pkgutil
import sys
import traceback
from typing import Any

from support import run

import filter_cases
from filter_cases.rig import CASES, Case

# As many cases at a time.
WIDTH = 16


def groups() -> list[str]:
    """The modules with cases."""
    modules = [module.name for module in pkgutil.iter_modules(filter_cases.__path__)]
    return [name for name in modules if name not in ("__main__", "fuzz", "rig")]


async def _tell(name: str, case: Case, turn: asyncio.Semaphore) -> None:
    async with turn:
        try:
            async with asyncio.timeout(60):
                result: Any = await case()
        except Exception as error:
            trace = traceback.format_exception(error)
            result = {"error": repr(error), "trace": "".join(trace)}
        print(json.dumps([name, result]), flush=True)


async def main(names: list[str]) -> None:
    turn = asyncio.Semaphore(WIDTH)
    for group in names:
        importlib.import_module(f"filter_cases.{group}")
    tellings = [
        _tell(f"{group}/{name}", case, turn) for group in names for name, case in CASES[group].items()
    ]
    await asyncio.gather(*tellings)


if __name__ == "__main__":
    logging.disable()
    run(main(sys.argv[1:] or groups()), limit=600)
