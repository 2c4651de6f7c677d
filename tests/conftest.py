# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Checks around every test: no thread, handle, task or line on stderr is left."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Generator, Iterator
from typing import Any

import pytest

pytest.register_assert_rewrite("support", "rig", "forking")

import support  # noqa: E402


def pytest_configure(config: pytest.Config) -> None:
    for marker in (
        "pool_threads: looks up a hostname, which may start libuv's pool threads",
        "writes_stderr: provokes a line on stderr",
        "uvgrpc_only: says nothing about grpc.aio",
        "stock_defect(reason, strict=True): grpc.aio as it is fails this; not strict: at times",
        "slow: takes more than a few seconds",
        "alone: about times or the whole machine; run after the others, which share its cores",
    ):
        config.addinivalue_line("markers", marker)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not support.STOCK:
        return
    for item in items:
        defect = item.get_closest_marker("stock_defect")
        if item.get_closest_marker("uvgrpc_only"):
            item.add_marker(pytest.mark.skip(reason="only about uvgrpc"))
        elif defect:
            strict = defect.kwargs.get("strict", True)
            item.add_marker(pytest.mark.xfail(reason=defect.args[0], strict=strict))


def _forget_frames(record: logging.LogRecord) -> bool:
    """Keeps an exception's text only: caplog's records would keep calls alive."""
    if record.exc_info:
        record.exc_text = logging.Formatter().formatException(record.exc_info)
        record.exc_info = None
    return True


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Keeps finalizers that log a traceback from running while pytest parses a source.

    CPython 3.11 cannot parse inside the parser, and stock leaves such finalizers.
    """
    gc.disable()
    try:
        report = yield
    finally:
        gc.enable()
    if support.STOCK and report.failed and call.excinfo is not None:
        # Whenever a server ends a call that is still being written to, it may lose its
        # status: test_a_server_that_answers_early_ends_the_iterator has the defect.
        text = str(call.excinfo.value)
        if "Internal error from Core" in text or "StatusCode.INTERNAL" in text:
            report.outcome = "skipped"
            report.wasxfail = "a write that fails replaces the server's status by INTERNAL"
    return report


@pytest.fixture(autouse=True)
def guard(
    request: pytest.FixtureRequest,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> Iterator[None]:
    """Fails a test that leaves something behind."""
    threads = support.thread_count()
    if request.node.get_closest_marker("pool_threads"):
        threads += 4
    loggers = [logging.getLogger(name) for name in ("asyncio", "uvgrpc")]
    for logger in loggers:
        logger.addFilter(_forget_frames)
    yield
    for logger in loggers:
        logger.removeFilter(_forget_frames)
    if support.STOCK:
        return
    noise = [
        record.getMessage()
        for when in ("setup", "call")
        for record in caplog.get_records(when)
        if record.name == "asyncio" and record.levelno >= logging.ERROR
    ]
    assert noise == []
    if not request.node.get_closest_marker("writes_stderr"):
        assert capfd.readouterr().err == ""
    # The kernel may show a joined thread for a moment.
    deadline = time.monotonic() + 5
    while support.thread_count() > threads and time.monotonic() < deadline:
        time.sleep(0.01)
    assert support.thread_count() <= threads


@pytest.fixture(scope="session")
def stock_port() -> Iterator[int]:
    """The port of a server of grpc.aio on asyncio, in another process."""
    with support.stock_server() as port:
        yield port
