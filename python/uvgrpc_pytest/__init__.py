# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""uvgrpc's plugin for pytest, which loads it by itself (entry point pytest11).

Every run of pytest imports it where uvgrpc is installed, so it is a package of its own: what it does is in
uvgrpc.testing, which is imported, with uvgrpc and grpc, when a test needs it.

Fixtures: `grpc_server`, `grpc_channel`, `grpc_servicers`, `grpc_server_arguments`, `grpc_channel_arguments`.
Asynchronous tests that use one of them, or have the marker `grpc`, run on uvloop's loop, under pytest-asyncio
(1.4 or newer) and under anyio.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Coroutine, Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import asyncio

    from uvgrpc.testing._fixtures import FixtureChannel, FixtureServer

_FIXTURES = frozenset({"grpc_server", "grpc_channel"})
_MODES = ("error", "warn", "off")
_MARKERS = (
    "grpc: runs on uvloop's event loop, which uvgrpc needs; not needed beside the fixtures grpc_*",
    "grpc_leaks(mode): what is done about what the test leaves, in place of --grpc-leaks",
)


class GrpcLeakWarning(pytest.PytestWarning):
    """A test has left calls, tasks, channels or servers, and --grpc-leaks is "warn"."""


# The LoopWatch of a test that has passed.
_watch_key = pytest.StashKey[Any]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("grpc", "gRPC (uvgrpc)")
    group.addoption(
        "--grpc-loopback",
        action="store_true",
        help="have the fixture grpc_channel use a socket, not a connection inside the process",
    )
    group.addoption(
        "--grpc-leaks",
        choices=_MODES,
        default="error",
        help="what is done when a test leaves calls, tasks, channels or servers of uvgrpc (default: error)",
    )


def pytest_configure(config: pytest.Config) -> None:
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)


# ---- fixtures


@pytest.fixture
def grpc_servicers() -> object:
    """What `grpc_server` serves, to be overridden: one of what serving() takes, or a list of them."""
    return []


@pytest.fixture
def grpc_server_arguments() -> Mapping[str, Any]:
    """Arguments of uvgrpc.server() for `grpc_server`, to be overridden."""
    return {}


@pytest.fixture
def grpc_channel_arguments() -> Mapping[str, Any]:
    """Arguments of uvgrpc.insecure_channel() for `grpc_channel`, to be overridden."""
    return {}


@pytest.fixture
def grpc_server(
    request: pytest.FixtureRequest, grpc_servicers: object, grpc_server_arguments: Mapping[str, Any]
) -> Iterator[FixtureServer]:
    """A uvgrpc.Server, which starts with the first call on `grpc_channel` and stops with the test.

    Until then `grpc_server.add_servicer()` adds to what `grpc_servicers` gives.
    """
    from uvgrpc.testing._fixtures import FixtureServer, end_now

    loopback = bool(request.config.getoption("--grpc-loopback"))
    server = FixtureServer(grpc_servicers, loopback, grpc_server_arguments)
    yield server
    end_now(server)


@pytest.fixture
def grpc_channel(
    grpc_server: FixtureServer, grpc_channel_arguments: Mapping[str, Any]
) -> Iterator[FixtureChannel]:
    """A uvgrpc.Channel to `grpc_server`, inside the process; over a socket with --grpc-loopback."""
    from uvgrpc.testing._fixtures import FixtureChannel, end_now

    channel = FixtureChannel(grpc_server, grpc_channel_arguments)
    yield channel
    end_now(channel)


# ---- uvloop's loop


def _needs_uvloop(item: Any) -> bool:
    return not _FIXTURES.isdisjoint(item.fixturenames) or item.get_closest_marker("grpc") is not None


def _new_event_loop() -> asyncio.AbstractEventLoop:
    import uvloop

    return uvloop.new_event_loop()


class _LoopFactories:
    """Registered only while pytest-asyncio asks for a test that needs it: others keep their loops."""

    @pytest.hookimpl(trylast=True)
    def pytest_asyncio_loop_factories(self) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
        """Of pytest-asyncio. A factory that a project has set comes first."""
        return {"uvloop": _new_event_loop}


_loop_factories = _LoopFactories()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> Generator[None]:
    """Where pytest-asyncio finds out which loops a test runs on."""
    plugins = metafunc.config.pluginmanager
    if not (
        hasattr(metafunc.config.hook, "pytest_asyncio_loop_factories") and _needs_uvloop(metafunc.definition)
    ):
        return (yield)
    plugins.register(_loop_factories, "uvgrpc-loop-factories")
    try:
        return (yield)
    finally:
        plugins.unregister(_loop_factories)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, Any, Any]:
    """Has anyio use uvloop in the module, class or test that its backend is for, if one there needs it."""
    backend = yield
    if fixturedef.argname != "anyio_backend" or fixturedef.cached_result is None:
        return backend
    name, options = (backend, {}) if isinstance(backend, str) else backend
    if name != "asyncio" or "use_uvloop" in options or options.get("loop_factory"):
        return backend
    node = request.node
    items = [node] if isinstance(node, pytest.Item) else request.session.items
    if not any(_needs_uvloop(item) for item in items if item is node or node in item.iter_parents()):
        return backend
    with_uvloop = (name, {**options, "use_uvloop": True})
    # What other fixtures and the test itself will see.
    fixturedef.cached_result = (with_uvloop, *fixturedef.cached_result[1:])
    return with_uvloop


# ---- leaks


def _mode(item: pytest.Item) -> str:
    marker = item.get_closest_marker("grpc_leaks")
    if marker is None:
        return str(item.config.getoption("--grpc-leaks"))
    if len(marker.args) != 1 or marker.kwargs or marker.args[0] not in _MODES:
        raise pytest.UsageError(f'{item.nodeid}: the marker is grpc_leaks("error"), ("warn") or ("off")')
    return str(marker.args[0])


def _tell(item: pytest.Item, what: str, left: list[str]) -> None:
    from uvgrpc.testing._leaks import leak_error

    error = leak_error(what, left)
    if _mode(item) == "error":
        raise error
    item.warn(GrpcLeakWarning(str(error)))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Has the coroutine of a test followed by a look at what it has left running."""
    if (
        not isinstance(item, pytest.Function)
        or not inspect.iscoroutinefunction(item.obj)
        or "uvgrpc" not in sys.modules
        or _mode(item) == "off"
    ):
        return (yield)
    test: Callable[..., Coroutine[Any, Any, Any]] = item.obj

    @functools.wraps(test)
    async def watched(*arguments: Any, **named: Any) -> Any:
        __tracebackhide__ = True
        from uvgrpc.testing._watch import LoopWatch

        watch = LoopWatch()
        result = await test(*arguments, **named)
        item.stash[_watch_key] = watch
        left = await watch.running()
        if left:
            _tell(item, "running at the end of the test", left)
        return result

    item.obj = watched
    try:
        return (yield)
    finally:
        item.obj = test


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    """Looks at what is open when the test and its fixtures are over."""
    try:
        yield
        watch = item.stash.get(_watch_key, None)
        left = watch.open() if watch is not None else []
    finally:
        if _watch_key in item.stash:
            del item.stash[_watch_key]
    if left:
        _tell(item, "open at the end of the test", left)
