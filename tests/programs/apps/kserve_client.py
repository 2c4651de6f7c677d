# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""KServe's client for inference: kserve_client.py TARGET CALLS."""

import backend  # isort: skip

import asyncio
import sys
import time

import numpy as np
import uvloop
from kserve import InferenceGRPCClient, InferInput, InferRequest

CONCURRENCY = 20
target, calls = sys.argv[1], int(sys.argv[2])


def question(id: str) -> InferRequest:
    numbers = InferInput("numbers", [1, 4], "FP32")
    numbers.set_data_from_numpy(np.array([[1, 2, 3, 4]], dtype=np.float32), binary_data=False)
    return InferRequest("doubler", [numbers], request_id=id)


async def main() -> None:
    client = InferenceGRPCClient(target)
    until = time.monotonic() + 60
    while True:
        try:
            if await client.is_model_ready("doubler"):
                break
        except Exception:  # the server is still starting
            pass
        assert time.monotonic() < until, "the model server did not get ready"
        await asyncio.sleep(0.1)
    before, numbers = time.process_time(), iter(range(calls))

    async def caller() -> None:
        for number in numbers:
            reply = await client.infer(question(str(number)))
            assert reply.id == str(number)
            assert reply.outputs[0].data == [2, 4, 6, 8], reply

    await asyncio.gather(*(caller() for _ in range(CONCURRENCY)))
    spent = time.process_time() - before
    await client.infer(question("report"))
    backend.emit({**backend.report(client._channel), "cpu": spent})
    await client.close()


uvloop.run(main())
