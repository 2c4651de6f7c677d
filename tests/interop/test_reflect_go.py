# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""reflect() and calls without a .proto, with grpc-go's server."""

from __future__ import annotations

from typing import Any

import pytest
from support import run

import uvgrpc
from interop import go
from uvgrpc._protos.channels import pool_of_loop

pytestmark = pytest.mark.uvgrpc_only


async def _exercise(target: str, **channel: Any) -> None:
    protos = await uvgrpc.reflect(target, **channel)
    assert "grpc.testing.TestService" in protos
    assert "grpc.reflection.v1.ServerReflection" in protos
    assert "grpc.reflection.v1alpha.ServerReflection" in protos
    assert await protos.EmptyCall(target, {}, **channel) == protos.Empty()
    request = {"response_size": 5, "payload": {"body": b"abc"}}
    assert len((await protos.UnaryCall(target, request, **channel)).payload.body) == 5
    parameters = {"response_parameters": [{"size": 3}, {"size": 4}]}
    responses = protos.StreamingOutputCall(target, parameters, **channel)
    assert [len(response.payload.body) async for response in responses] == [3, 4]
    call = await protos.FullDuplexCall(target, **channel)
    for size in (1, 2):
        await call.send({"response_parameters": [{"size": size}]})
        assert len((await call.receive()).payload.body) == size
    await call.done_sending()
    with pytest.raises(uvgrpc.EOF):
        await call.receive()
    await pool_of_loop().close()


def test_insecure(insecure_port: int) -> None:
    run(_exercise(f"127.0.0.1:{insecure_port}"))


def test_tls(tls_port: int, certificates: go.Certificates) -> None:
    run(
        _exercise(
            f"127.0.0.1:{tls_port}",
            credentials=certificates.channel_credentials,
            options=[("grpc.ssl_target_name_override", go.SERVER_NAME)],
        )
    )
