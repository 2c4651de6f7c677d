# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""The Go program, certificates and servers that the interoperability tests share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("interop")

from interop import go  # noqa: E402


@pytest.fixture(scope="session")
def program() -> Path:
    """The Go program, built."""
    if shutil.which("go") is None and not os.environ.get("CI"):
        pytest.skip("needs Go, Debian's package golang-go")
    return go.build()


# Before the first test counts threads, because grpcio's server credentials start one of its core.
@pytest.fixture(scope="session", autouse=True)
def certificates(program: Path, tmp_path_factory: pytest.TempPathFactory) -> go.Certificates:
    return go.make_certificates(program, tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def insecure_port(program: Path) -> Iterator[int]:
    """The port of a server in Go."""
    with go.serving(program, None) as port:
        yield port


@pytest.fixture(scope="session")
def tls_port(program: Path, certificates: go.Certificates) -> Iterator[int]:
    """The port of a server in Go with TLS."""
    with go.serving(program, certificates) as port:
        yield port
