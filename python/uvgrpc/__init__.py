# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""gRPC for asyncio on uvloop's own libuv loop: no polling thread.

::

    import uvloop, grpc, uvgrpc

    uvgrpc.install()      # grpc.aio runs on uvloop's loop from here on
    uvloop.run(main())    # main() is grpc.aio code with generated stubs

``from uvgrpc import aio`` gives the same API without changing grpc.aio.
"""

from uvgrpc._runtime.loop import LoopStats, UnsupportedLoopError, loop_stats
from uvgrpc._under_grpc import recorder
from uvgrpc._under_grpc.install import install, is_active, is_installed, uninstall
from uvgrpc._version import __version__

recorder.start()

__all__ = (
    "LoopStats",
    "UnsupportedLoopError",
    "__version__",
    "install",
    "is_active",
    "is_installed",
    "loop_stats",
    "uninstall",
)
