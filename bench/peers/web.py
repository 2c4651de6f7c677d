# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""A Starlette application under uvicorn, in the running loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from program import HOST


@asynccontextmanager
async def serve() -> AsyncIterator[int]:
    """Its port. The packages are imported here: only one scenario wants them."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse, Response
    from starlette.routing import Route

    class Server(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield  # they are the peer's

    async def hello(request: Request) -> Response:
        return PlainTextResponse(f"Hello, {request.query_params['name']}!")

    application = Starlette(routes=[Route("/hello", hello)])
    server = Server(uvicorn.Config(application, log_level="error", access_log=False, lifespan="off"))
    listener = socket.create_server((HOST, 0), backlog=128)
    task = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task
