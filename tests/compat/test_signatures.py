# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""grpc.aio's signatures, as the installed grpcio has them, beside uvgrpc's.

Nothing here is written down by hand but the differences that are meant, so that
another grpcio shows what moved.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from typing import Any

import grpc
import grpc.aio
import pytest
import rig
from support import Passing, aio, run

pytestmark = pytest.mark.uvgrpc_only

_DUNDERS = {"__aenter__", "__aexit__", "__aiter__", "__await__", "__call__", "__init__"}

KINDS = ("UnaryUnary", "UnaryStream", "StreamUnary", "StreamStream")


@functools.cache
def own_types() -> dict[str, type]:
    """uvgrpc's classes, found by what they are used for: by grpcio's names for them."""
    found: dict[str, type] = {}

    async def keep(context: Any) -> None:
        found["ServicerContext"] = type(context)

    def keep_blocking(request: bytes, context: Any) -> bytes:
        found["SyncServicerContext"] = type(context)
        return request

    async def main() -> None:
        for kind, arity in zip(KINDS, rig.ARITIES, strict=True):
            async with rig.wired(rig.before_each(arity, keep)) as wire:
                found["Channel"], found["Server"] = type(wire.channel), type(wire.server)
                found[f"{kind}MultiCallable"] = type(wire.method())
                call = wire()
                found[f"{kind}Call"] = type(call)
                await rig.result_of(call)
        import concurrent.futures

        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            options = {"migration_thread_pool": pool}
            async with rig.wired(rig.uu(keep_blocking), server_options=options) as wire:
                await wire()

    run(main())
    return found


@functools.cache
def own_intercepted_types() -> dict[str, type]:
    """uvgrpc's classes of calls with interceptors."""
    found: dict[str, type] = {}

    async def main() -> None:
        for kind, arity in zip(KINDS, rig.ARITIES, strict=True):
            async with rig.wired(rig.echo_of(arity), interceptors=[Passing()]) as wire:
                call = wire()
                found[f"Intercepted{kind}Call"] = type(call)
                await rig.result_of(call)

    run(main())
    return found


def stock_type(name: str) -> type:
    """grpcio's own class of that name."""
    from grpc._cython import cygrpc
    from grpc.aio import _call, _channel, _interceptor, _server

    if name == "ServicerContext":
        return cygrpc._ServicerContext
    if name == "SyncServicerContext":
        return cygrpc._SyncServicerContext
    if name.startswith("Intercepted"):
        return getattr(_interceptor, name)
    if name == "Server":
        return _server.Server
    return getattr(_call if name.endswith("Call") else _channel, name)


def _names(kind: type) -> set[str]:
    own = {name for name in dir(kind) if not name.startswith("_")}
    return own | {name for name in _DUNDERS if getattr(kind, name, None) is not getattr(object, name, None)}


def _parameters(function: Any) -> list[tuple[str, Any, Any]] | None:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None
    by_name = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    return [
        # The receiver's own kind is nobody's business.
        (one.name, "self" if one.name == "self" and one.kind in by_name else one.kind, one.default)
        for one in parameters
    ]


def _differences(name: str, ours: type, reference: type) -> Iterator[tuple[str, str]]:
    """The keys and texts of what differs between two classes, as callers see them."""
    shared = _names(ours) & _names(reference)
    for missing in _names(reference) - shared - {"__init__"}:
        yield f"{name}.{missing}", "missing"
    for extra in _names(ours) - shared - {"__init__"}:
        yield f"{name}.{extra}", "not in grpc.aio"
    # Only factories make calls and multi-callables.
    if name not in ("Channel", "Server"):
        shared -= {"__init__"}
    for member in shared:
        mine, theirs = getattr(ours, member), getattr(reference, member)
        if callable(mine) is not callable(theirs):
            yield f"{name}.{member}", "callable on one side only"
            continue
        expected, actual = _parameters(theirs), _parameters(mine)
        # Cython hides the signatures of some of grpcio's own classes.
        if expected is not None and actual != expected:
            yield f"{name}.{member}", f"parameters {actual}, in grpc.aio {expected}"
        if inspect.iscoroutinefunction(theirs) and not _is_coroutine_function(mine):
            yield f"{name}.{member}", "not a coroutine function"


def _is_coroutine_function(function: Any) -> bool:
    # Cython's own are coroutine functions too, without saying so: see the stub file.
    return inspect.iscoroutinefunction(function) or not inspect.isfunction(function)


TYPES = (
    "Channel",
    "Server",
    *(f"{kind}MultiCallable" for kind in KINDS),
    *(f"{kind}Call" for kind in KINDS),
    "ServicerContext",
)


@pytest.mark.parametrize("name", TYPES)
def test_members_agree_with_grpc_aio(name: str) -> None:
    found = dict(_differences(name, own_types()[name], stock_type(name)))
    assert found == {}


@pytest.mark.parametrize("name", [f"Intercepted{kind}Call" for kind in KINDS])
def test_members_of_intercepted_calls_agree_with_grpc_aio(name: str) -> None:
    found = dict(_differences(name, own_intercepted_types()[name], stock_type(name)))
    assert found == {}


def test_the_sync_context_has_all_of_grpc_aios_and_of_grpcs() -> None:
    ours = own_types()["SyncServicerContext"]
    assert issubclass(ours, grpc.ServicerContext)
    for reference in (stock_type("SyncServicerContext"), grpc.ServicerContext):
        found = dict(_differences("SyncServicerContext", ours, reference))
        assert {key for key, text in found.items() if text == "missing"} == set()


@pytest.mark.parametrize("name", TYPES)
def test_classes_are_of_the_same_abstract_classes(name: str) -> None:
    ours, theirs = own_types()[name], stock_type(name)
    public = [getattr(grpc.aio, one) for one in grpc.aio.__all__]
    classes = [one for one in public if isinstance(one, type)]
    expected = {one for one in classes if issubclass(theirs, one)}
    if name == "ServicerContext":
        expected.add(grpc.aio.ServicerContext)
    assert {one for one in classes if issubclass(ours, one)} == expected
    assert not getattr(ours, "__abstractmethods__", None)


@pytest.mark.parametrize("name", [f"Intercepted{kind}Call" for kind in KINDS])
def test_intercepted_calls_are_of_the_same_abstract_classes(name: str) -> None:
    ours, theirs = own_intercepted_types()[name], stock_type(name)
    public = [getattr(grpc.aio, one) for one in grpc.aio.__all__]
    classes = [one for one in public if isinstance(one, type) and inspect.isabstract(one)]
    assert {one for one in classes if issubclass(ours, one)} >= {
        one for one in classes if issubclass(theirs, one)
    }


@pytest.mark.parametrize(
    "name", [one for one in grpc.aio.__all__ if not isinstance(getattr(grpc.aio, one), type)]
)
def test_functions_agree_with_grpc_aio(name: str) -> None:
    ours, theirs = getattr(aio, name), getattr(grpc.aio, name)
    if callable(theirs):
        assert _parameters(ours) == (_parameters(theirs) or [])
        assert inspect.iscoroutinefunction(ours) == inspect.iscoroutinefunction(theirs)
    else:
        assert ours is theirs


@pytest.mark.parametrize("name", ["ServicerContext", "SyncServicerContext"])
def test_contexts_have_all_that_the_abstract_class_promises(name: str) -> None:
    abstract = grpc.aio.ServicerContext if name == "ServicerContext" else grpc.ServicerContext
    ours = own_types()[name]
    for member in _names(abstract) - {"__init__"}:
        assert callable(getattr(ours, member)), member
        # By position: grpc.aio's own context has other names than its abstract class.
        promised = inspect.signature(getattr(abstract, member)).parameters.values()
        required = [one.name for one in promised if one.kind is not inspect.Parameter.VAR_KEYWORD]
        inspect.signature(getattr(ours, member)).bind(*required)


def test_nothing_is_left_to_be_implemented() -> None:
    """No source of the package raises NotImplementedError."""
    import pathlib

    import uvgrpc

    root = pathlib.Path(uvgrpc.__file__).parent
    left = [
        f"{path.relative_to(root)}:{number}"
        for path in root.rglob("*.py")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if "NotImplementedError" in line
    ]
    assert left == []
