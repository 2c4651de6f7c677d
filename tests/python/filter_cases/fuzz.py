# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""python -m filter_cases.fuzz SEED COUNT: random calls, of which each seed says the same to all.

python -m filter_cases.fuzz SEED COUNT compare: does so with our filters and with core's, and
tells where they differ.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import os
import subprocess
import sys
from random import Random
from typing import Any

import grpc
from peers.answers import OK_HEADERS, answering
from support import aio, environment, run

from filter_cases import answers, credentials, sizes
from filter_cases.rig import ARITIES, config, live, pair

SIZES = (0, 1, 10, 999, 1000, 1001, 5_000, 40_000)
COMPRESSIONS = (None, grpc.Compression.Gzip, grpc.Compression.Deflate)
CODES = (None, None, None, "1", "5", "8", "13", "14", "16")
# Core's filters never end some calls; they need not be waited for long.
TIMEOUT = 20 if "GRPC_TRACE" not in os.environ else 3
# At the same time.
WIDTH = 16
# What our filters say of what they have received.
SEEN = ("CLIENT: Received", "Decompress", "Compression", "Received http2")


def _size(random: Random) -> int:
    return random.choice(SIZES)


def _limits(random: Random) -> tuple[Any, ...]:
    names = random.sample((sizes.SEND, sizes.RECEIVE), random.randrange(3))
    return tuple((name, random.choice((-1, 0, 10, 1000, 5_000))) for name in names)


def _config(random: Random) -> tuple[Any, ...]:
    method: dict[str, Any] = {}
    for name in ("maxRequestMessageBytes", "maxResponseMessageBytes"):
        if random.random() < 0.3:
            method[name] = random.choice((0, 10, 1000, 5_000))
    if random.random() < 0.3:
        method["retryPolicy"] = {**answers.RETRIES, "maxAttempts": random.randrange(2, 5)}
        method["retryPolicy"]["retryableStatusCodes"] = ["UNAVAILABLE", "INTERNAL"]
    return config(**method) if method else ()


async def _obeyed(random: Random) -> Any:
    """A call that goes well, is too large somewhere, or is aborted."""
    metadata: list[tuple[str, str]] = [
        ("sizes", json.dumps([_size(random) for _ in range(random.randrange(4))]))
    ]
    arity = random.choice(ARITIES)
    if code := random.choice(CODES):
        metadata += [("abort", code), ("details", random.choice(("", "plain", "a%20b", "%")))]
    for name in ("trailing", "initial"):
        if random.random() < 0.4:
            metadata.append((name, "v" * random.choice((1, 50, 2_000))))
    if random.random() < 0.2:
        metadata.append(("deaf", "1"))
    options: dict[str, Any] = {"metadata": tuple(metadata), "timeout": TIMEOUT}
    if random.random() < 0.3:
        options["compression"] = random.choice(COMPRESSIONS[1:])
    requests = [bytes(_size(random)) for _ in range(random.randrange(1, 4))]
    client, server = _limits(random) + _config(random), _limits(random)
    compressions = random.choice(COMPRESSIONS), random.choice(COMPRESSIONS)
    way = random.choice((None, None, *credentials.ANSWERED))
    if way is None:
        serving = {"compression": compressions[1]} if compressions[1] else {}
        async with pair(client, server, compression=compressions[0], serving_options=serving) as (channel, _):
            return await live(channel, arity, requests, **options)
    calls = (credentials.credentials_of(credentials.Plugin(way)),)
    async with credentials.secured("local", *calls, options=client) as (channel, _):
        return await live(channel, arity, requests, **options)


async def _answered(random: Random) -> Any:
    """A call with an answer that is put together at random."""
    greetings = [
        answers.GREET,
        answers.GZIPPED,
        answers.head(*OK_HEADERS, ("x-initial", "v" * random.choice((1, 3_000)))),
        answers.head(answers.status(random.choice(("200", "404", "503"))), answers.HTML_TYPE),
    ]
    messages = [
        answers.says(bytes(_size(random))),
        answers.says(gzip.compress(bytes(_size(random)), mtime=0), 1),
        answers.says(b"not gzip", 1),
        answers.says(b""),
        answers.text(answers.HTML),
    ]
    ends = [
        answers.BYE,
        answers.whole(("grpc-status", random.choice(("0", "3", "14", "77")))),
        answers.whole(("grpc-status", "5"), ("grpc-message", random.choice(("a", "a%20b", "%z")))),
        answers.whole(("x-trailing", "t")),
        answers.whole(*OK_HEADERS, ("grpc-status", "9")),
    ]
    made = [random.choice(greetings)] if random.random() < 0.9 else []
    made += [random.choice(messages) for _ in range(random.randrange(4)) if made]
    arity = random.choice(ARITIES)
    if arity.endswith("unary"):
        # Core does not end a call whose second message nobody reads.
        made = made[:2]
    made.append(random.choice(ends))
    options = _limits(random) + _config(random)
    async with (
        answering(answers.parts(*made)) as target,
        aio.insecure_channel(target, options=options) as channel,
    ):
        return await live(channel, arity, [bytes(_size(random))], timeout=TIMEOUT)


async def _one(seed: int, turn: asyncio.Semaphore) -> None:
    random = Random(seed)
    async with turn:
        kind = random.choice((_obeyed, _obeyed, _answered))
        print(json.dumps([seed, kind.__name__, await kind(random)]), flush=True)


async def main(seed: int, count: int) -> None:
    turn = asyncio.Semaphore(WIDTH)
    async with asyncio.TaskGroup() as group:
        for number in range(seed, seed + count):
            group.create_task(_one(number, turn))


# ---- two processes compared


def _process(seed: int, count: int, environ: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "filter_cases.fuzz", str(seed), str(count)]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**environment(), **environ},
        text=True,
    )


def _results(process: subprocess.Popen[str]) -> dict[int, Any]:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err[-2000:]
    return {seed: [kind, result] for seed, kind, result in map(json.loads, out.splitlines())}


def alike(ours: Any, core: Any) -> bool:
    """Of a call that fails, the messages that came before are a matter of timing.

    Core's filters forget a call now and then, which only its deadline ends. They hand out a message
    unseen when the end of the call is in the same packet (recv_message_filter_bypass_fix is off).
    """
    if core["code"] == "DEADLINE_EXCEEDED" and ours["code"] != "DEADLINE_EXCEEDED":
        return True
    if core["code"] == "OK" and ours["details"].startswith(SEEN):
        return True
    # Whether a handler's own failure overtakes that of its message is a matter of timing too.
    if ours["details"].startswith("SERVER: Sent") and core["code"] != "OK":
        return True
    if ours["code"] != "OK":
        length = min(len(ours["messages"]), len(core["messages"]))
        ours, core = ({**one, "messages": one["messages"][:length], "initial": []} for one in (ours, core))
    # So is whether the server's own end of the call had come when the client gave it up.
    if any(seen in ours["details"] for seen in SEEN):
        ours, core = ({**one, "trailing": []} for one in (ours, core))
    return bool(ours == core)


def differences(seed: int, count: int) -> list[Any]:
    """Makes the calls with our filters and with core's."""
    processes = [_process(seed, count, {}), _process(seed, count, {"GRPC_TRACE": "cares_resolver,-all"})]
    ours, core = (_results(process) for process in processes)
    assert len(ours) == len(core) == count
    return [
        (number, ours[number][0], ours[number][1], core[number][1])
        for number in ours
        if not alike(ours[number][1], core[number][1])
    ]


if __name__ == "__main__":
    logging.disable()
    first, calls = int(sys.argv[1]), int(sys.argv[2])
    if "compare" in sys.argv:
        for difference in differences(first, calls):
            print(json.dumps(difference))
    else:
        run(main(first, calls), limit=300)
