# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The names of grpc.aio, and its value types: the very objects of grpcio."""

from __future__ import annotations

import importlib
import pickle
import types

import grpc
import grpc.aio
import grpc.experimental.aio
import pytest
from support import aio

# Factories and functions that have to be uvgrpc's; everything else is grpcio's own object.
FACTORIES = {"init_grpc_aio", "insecure_channel", "secure_channel", "server", "shutdown_grpc_aio"}


def test_dir_of_the_module_agrees_with_grpc_aio() -> None:
    def public(module: types.ModuleType) -> set[str]:
        # What pytest adds to the modules of a package that has a plugin begins with "@".
        return {name for name in dir(module) if not name.startswith(("_", "@"))}

    # What grpc.aio imports for its own use.
    incidental = {"Any", "Optional", "Sequence", "Tuple", "grpc"}
    assert public(grpc.aio) - incidental == public(aio) - incidental


def test_all_lists_what_grpc_aio_lists() -> None:
    assert sorted(aio.__all__) == sorted(grpc.aio.__all__)
    assert len(set(aio.__all__)) == len(aio.__all__)
    for name in aio.__all__:
        assert hasattr(aio, name), name


@pytest.mark.parametrize("name", sorted(set(grpc.aio.__all__) - FACTORIES))
def test_types_are_the_objects_of_grpcio(name: str) -> None:
    assert getattr(aio, name) is getattr(grpc.aio, name)
    assert getattr(grpc.experimental.aio, name) is getattr(aio, name)


@pytest.mark.uvgrpc_only
def test_the_type_of_channel_arguments_is_importable() -> None:
    assert aio.ChannelArgumentType is grpc.aio.ChannelArgumentType


@pytest.mark.uvgrpc_only
def test_the_private_typing_module_that_tracers_import_exists() -> None:
    """ddtrace reads grpc.aio._typing."""
    own = importlib.import_module("uvgrpc.aio")
    for name in ("RequestType", "ResponseType", "MetadataType", "RequestIterableType"):
        assert hasattr(grpc.aio._typing, name)
    assert own.Metadata is grpc.aio.Metadata


def test_the_sentinel_is_falsy_and_empty() -> None:
    assert not aio.EOF
    assert len(aio.EOF) == 0
    assert repr(aio.EOF) == str(aio.EOF) == "<grpc.aio.EOF>"


def test_errors_have_grpc_aios_hierarchy() -> None:
    for error in (aio.UsageError, aio.AbortError, aio.InternalError):
        assert issubclass(error, aio.BaseError)
    assert issubclass(aio.BaseError, Exception)
    assert issubclass(aio.AioRpcError, grpc.RpcError)
    assert not issubclass(aio.AioRpcError, aio.BaseError)


def _error() -> grpc.aio.AioRpcError:
    return aio.AioRpcError(
        grpc.StatusCode.NOT_FOUND,
        aio.Metadata(("x-first", "1")),
        aio.Metadata(("x-last", "2"), ("x-last", "3")),
        details="where?",
        debug_error_string="core says",
    )


def test_an_rpc_error_tells_its_parts_and_its_text_is_fixed() -> None:
    error = _error()
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert error.details() == "where?"
    assert error.debug_error_string() == "core says"
    assert error.initial_metadata()["x-first"] == "1"
    assert error.trailing_metadata().get_all("x-last") == ["2", "3"]
    assert (
        str(error)
        == repr(error)
        == (
            "<AioRpcError of RPC that terminated with:\n"
            "\tstatus = StatusCode.NOT_FOUND\n"
            '\tdetails = "where?"\n'
            '\tdebug_error_string = "core says"\n'
            ">"
        )
    )


def test_an_rpc_error_survives_pickle() -> None:
    error = pickle.loads(pickle.dumps(_error()))
    assert type(error) is aio.AioRpcError
    assert repr(error) == repr(_error())
    assert error.trailing_metadata() == _error().trailing_metadata()


def test_an_rpc_error_may_lack_everything_but_its_code() -> None:
    error = aio.AioRpcError(grpc.StatusCode.OK, None, None)
    assert error.initial_metadata() is None
    assert error.trailing_metadata() is None
    assert error.details() is None
    assert error.debug_error_string() is None


def test_metadata_is_an_ordered_multimap() -> None:
    metadata = aio.Metadata(("a", "1"), ("b", "2"), ("a", "3"))
    assert len(metadata) == 3
    assert list(metadata) == [("a", "1"), ("a", "3"), ("b", "2")]
    assert metadata["a"] == "1"
    assert metadata.get("none") is None
    assert metadata.get("none", "default") == "default"
    assert metadata.get_all("a") == ["1", "3"]
    assert metadata.get_all("none") == []
    metadata.add("b", "4")
    metadata["a"] = "new"
    assert metadata.get_all("a") == ["new", "3"]
    metadata.set_all("a", ["x"])
    assert "a" in metadata
    del metadata["a"]
    assert metadata.get_all("a") == []
    with pytest.raises(KeyError):
        metadata["a"]
    metadata.delete_all("b")
    assert len(metadata) == 0
    left, right = aio.Metadata(("a", "1")), aio.Metadata(("b", b"2"))
    assert tuple(left + right) == (("a", "1"), ("b", b"2"))
    assert left + right == aio.Metadata.from_tuple((("a", "1"), ("b", b"2")))
    assert left != right


def test_call_details_of_clients_are_a_named_tuple() -> None:
    details = aio.ClientCallDetails(b"/a/A", 1.0, aio.Metadata(), None, True)
    assert details._fields == ("method", "timeout", "metadata", "credentials", "wait_for_ready")
    assert details._replace(timeout=2).timeout == 2
    assert isinstance(details, grpc.ClientCallDetails)


def test_starting_and_ending_the_library_are_callable_any_number_of_times() -> None:
    for _ in range(3):
        aio.init_grpc_aio()
    for _ in range(3):
        aio.shutdown_grpc_aio()
