# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""KServe's model server with a model that doubles: kserve_server.py --http_port N --grpc_port N."""

import backend  # isort: skip

import asyncio
import gc
from typing import Any

import grpc
import uvloop
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer, model_server


class Doubler(Model):
    def load(self) -> bool:
        self.ready = True
        return self.ready

    async def predict(self, payload: InferRequest, *rest: Any, **more: Any) -> InferResponse:
        if payload.id == "report":
            servers = [thing for thing in gc.get_objects() if isinstance(thing, grpc.aio.Server)]
            backend.emit(backend.report(*servers))
        numbers = payload.inputs[0].as_numpy() * 2
        output = InferOutput("doubled", list(numbers.shape), "FP32")
        output.set_data_from_numpy(numbers, binary_data=False)
        return InferResponse(payload.id, self.name, [output])


# ModelServer calls asyncio.run() itself, and its event_loop is only uvicorn's. Before that it asks for
# the current loop, which uvloop's policy does not make.
asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
asyncio.set_event_loop(asyncio.new_event_loop())
options = model_server.args
server = ModelServer(http_port=options.http_port, grpc_port=options.grpc_port, workers=1, event_loop="uvloop")
model = Doubler("doubler")
model.load()
backend.emit({"starting": True})
server.start([model])
