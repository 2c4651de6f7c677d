# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Imported first by each program here: grpc.aio as it is, or uvgrpc's.

The programs themselves are unmodified; this is what an operator would add to them, or to a
sitecustomize. The environment variable PROGRAMS_BACKEND says which it is to be.
"""

from __future__ import annotations

import gc
import json
import os
import time

BACKEND = os.environ["PROGRAMS_BACKEND"]

if BACKEND == "uvgrpc":
    import uvgrpc

    uvgrpc.install()


def report(*objects: object, since: float = 0.0, **more: object) -> dict[str, object]:
    """What the test asks: threads, CPU since a process time, and whose the channels or servers are."""
    return {
        "pid": os.getpid(),
        "threads": len(os.listdir("/proc/self/task")),
        "cpu": time.process_time() - since,
        "made_by": sorted({_origin(thing) for thing in objects}),
        **more,
    }


def channels() -> list[object]:
    """The channels of grpc.aio or uvgrpc that are open somewhere in a library."""
    import grpc.aio

    makers = {"grpc", "uvgrpc"}
    return [
        thing
        for thing in gc.get_objects()
        if isinstance(thing, grpc.aio.Channel) and type(thing).__module__.partition(".")[0] in makers
    ]


def _origin(thing: object) -> str:
    """The package of grpc.aio's and uvgrpc's classes, also of those that wrap or inherit from them."""
    packages = {kind.__module__.partition(".")[0] for kind in type(thing).__mro__}
    return "uvgrpc" if "uvgrpc" in packages else "grpc" if "grpc" in packages else type(thing).__module__


def emit(fields: dict[str, object]) -> None:
    print(json.dumps(fields), flush=True)
