# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""examples/chat, run as a user runs it."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

CHAT = Path(__file__).resolve().parents[2] / "examples" / "chat"
LIMIT = 30


@contextlib.contextmanager
def program(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=CHAT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().rstrip()


def say(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdin is not None
    process.stdin.write(text + "\n")
    process.stdin.flush()


def test_members_hear_each_other() -> None:
    with program("server.py") as server:
        match = re.fullmatch(r"listening on port (\d+)", line_of(server))
        assert match
        port = match[1]
        with program("client.py", port, "ann") as ann, program("client.py", port) as nobody:
            assert line_of(ann) == "room: 1 here"
            assert line_of(nobody) == "left: who are you?"
            with program("client.py", port, "bob") as bob:
                assert line_of(bob) == "room: 2 here"
                say(ann, "hello")
                assert line_of(bob) == "ann: hello"
                say(bob, "hi, ann")
                assert line_of(ann) == "bob: hi, ann"
                assert bob.communicate(timeout=LIMIT) == ("", "")  # the end of its input
                assert bob.returncode == 0
            assert ann.communicate(timeout=LIMIT) == ("", "")
        server.send_signal(signal.SIGINT)
        assert server.communicate(timeout=LIMIT) == ("stopped\n", "")
        assert server.returncode == 0
