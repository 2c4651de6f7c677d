# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Starlette and FastAPI under uvicorn: web requests answered by calls on the same loop."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support import Outcome

_STARLETTE = """
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

async def pages(request):
    book = await request.state.stub.Find(FindRequest(title=request.path_params["title"]))
    return JSONResponse({"pages": book.pages, "thread": threading.get_ident()})

async def volumes(request):
    listing = request.state.stub.List(ListRequest(count=int(request.path_params["count"])))
    return JSONResponse([book.title async for book in listing])

app = Starlette(
    lifespan=lifespan,
    routes=[Route("/pages/{title}", pages), Route("/volumes/{count}", volumes)],
)
"""

_FASTAPI = """
from fastapi import FastAPI, Request

app = FastAPI(lifespan=lifespan)

@app.get("/pages/{title}")
async def pages(title: str, request: Request):
    book = await request.state.stub.Find(FindRequest(title=title))
    return {"pages": book.pages, "thread": threading.get_ident()}

@app.get("/volumes/{count}")
async def volumes(count: int, request: Request):
    return [book.title async for book in request.state.stub.List(ListRequest(count=count))]
"""

_SERVE = """
import contextlib, http.client, socket
from concurrent.futures import ThreadPoolExecutor
import uvicorn

@contextlib.asynccontextmanager
async def lifespan(app):
    # The loop is uvicorn's; both ends of gRPC are made on it.
    assert isinstance(asyncio.get_running_loop(), uvloop.Loop)
    async with calling() as channel:
        yield {"stub": stub_on(channel)}

# the app

install()
listener = socket.create_server(("127.0.0.1", 0))
server = uvicorn.Server(uvicorn.Config(app, loop="uvloop", log_level="warning"))

def get(path):
    web = http.client.HTTPConnection(*listener.getsockname(), timeout=30)
    try:
        web.request("GET", path)
        response = web.getresponse()
        assert response.status == 200, response.read()
        return json.load(response)
    finally:
        web.close()

def browse():
    try:
        with ThreadPoolExecutor(20) as pool:
            found = list(pool.map(get, [f"/pages/{'x' * (1 + n % 20)}" for n in range(200)]))
            return found, get("/volumes/3")
    finally:
        server.should_exit = True

async def main():
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    result = await asyncio.to_thread(browse)
    await serving
    return result, threading.get_ident()

(found, volumes), thread = uvloop.run(main())
print(json.dumps([[item["pages"] for item in found], [item["thread"] == thread for item in found], volumes]))
"""


@pytest.mark.parametrize("app", [_STARLETTE, _FASTAPI], ids=["starlette", "fastapi"])
def test_a_channel_made_in_the_lifespan_handler(program: Callable[[str], Outcome], app: str) -> None:
    pages, in_loop_thread, volumes = program(_SERVE.replace("# the app", app)).result
    assert pages == [1 + number % 20 for number in range(200)]
    assert all(in_loop_thread)
    assert volumes == ["volume 0", "volume 1", "volume 2"]


_UVICORN_RUN = """
import contextlib, http.client
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

channels = []

@contextlib.asynccontextmanager
async def lifespan(app):
    async with calling() as channel:
        channels.append(channel)
        yield {"stub": stub_on(channel)}

async def pages(request):
    book = await request.state.stub.Find(FindRequest(title="Emma"))
    # As when a service is told to stop: while it answers.
    signal.raise_signal(signal.SIGTERM)
    return PlainTextResponse(str(book.pages))

def browse():
    while not web_server.started:
        time.sleep(0.01)
    port = web_server.servers[0].sockets[0].getsockname()[1]
    web = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    web.request("GET", "/")
    answers.append(web.getresponse().read().decode())
    web.close()

answers = []
install()
signal.signal(signal.SIGTERM, lambda *_: None)
app = Starlette(lifespan=lifespan, routes=[Route("/", pages)])
web_server = uvicorn.Server(uvicorn.Config(app, port=0, loop="uvloop", log_level="warning"))
browser = threading.Thread(target=browse)
browser.start()
web_server.run()
browser.join()
print(json.dumps([answers, channels[0].get_state() is grpc.ChannelConnectivity.SHUTDOWN]))
"""


def test_uvicorns_own_run_until_a_signal(program: Callable[[str], Outcome]) -> None:
    assert program(_UVICORN_RUN).result == [["4"], True]
