# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""reflect(): the services and messages that a server tells of itself (gRFC L95)."""

from __future__ import annotations

import time
from typing import Any

import grpc

from uvgrpc._protos.channels import Options, channel_for
from uvgrpc._protos.errors import ProtoError
from uvgrpc._protos.files import parsed
from uvgrpc._protos.namespace import Protos
from uvgrpc._protos.pools import filled, missing_of, shared
from uvgrpc._protos.reflection_messages import Request, Response
from uvgrpc._rpc.errors import RpcError
from uvgrpc.aio._multi_callable import Metadata
from uvgrpc.aio._status import status_code

_PATHS = (
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
)
_OWN = frozenset({"grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"})

# What one server may have us keep. googleapis as a whole has some 5,000 files with 40 MB.
MAX_SERVICES = 10_000
MAX_FILES = 10_000
MAX_BYTES = 64 << 20


async def reflect(
    target: Any = None,
    *,
    channel: Any = None,
    credentials: Any = None,
    options: Options | None = None,
    timeout: float | None = 30.0,
    metadata: Metadata | None = None,
    wait_for_ready: bool | None = None,
) -> Protos:
    """Asks a server for its services, and gives what proto() would give for their files.

    All is kept apart from what other servers, files and modules say. A service that is listed
    but cannot be used, since a file is missing or wrong, is not there; who uses it is told why.

    Args:
      target: the server's address, in gRPC's name syntax, or a channel.
      channel: a channel, in place of the target.
      credentials: of the channel to the target, None for one without transport security; of
        the call, when it is given a channel.
      options: of the channel to the target.
      timeout: seconds for all of it; None for no limit.
      metadata: pairs to send.
      wait_for_ready: True to wait for a connection rather than fail at once.

    Raises:
      RpcError: the call failed. UNIMPLEMENTED: the server has no reflection.
      ProtoError: nothing of what the server says can be used, or it says too much.
      TypeError: the arguments do not go together.
    """
    on, call_credentials = channel_for(target, channel, credentials, options)
    end = None if timeout is None else time.monotonic() + timeout
    label = target if isinstance(target, str) else f"the server at {getattr(on, '_target', 'a channel')}"
    for path in _PATHS:
        start = on.stream_stream(path, Request.SerializeToString, Response.FromString)
        call = start(
            timeout=None if end is None else max(end - time.monotonic(), 0),
            metadata=metadata,
            credentials=call_credentials,
            wait_for_ready=wait_for_ready,
        )
        asking = _Asking(call)
        try:
            await asking.ask_for_everything()
        except grpc.aio.AioRpcError as error:
            # What answers there is no server of v1, or none at all.
            if path is not _PATHS[-1] and error.code() is grpc.StatusCode.UNIMPLEMENTED:
                continue
            raise
        finally:
            call.cancel()
        return _protos(label, asking)
    raise AssertionError


class _Asking:
    """Questions and answers of one reflection call.

    Attributes:
      services: what the server lists.
      files: what it sent, serialized, by the files' own names.
      defined_in: the files of the services that are in them.
      problems: why there is nothing for a service or a file that was asked for.
    """

    def __init__(self, call: Any) -> None:
        self._call = call
        self._size = 0
        # What files import, to be asked for if it does not come by itself. Each name once.
        self._imported: dict[str, None] = {}
        self.services: list[str] = []
        self.files: dict[str, bytes] = {}
        self.defined_in: dict[str, str] = {}
        self.problems: dict[str, str] = {}

    async def ask_for_everything(self) -> None:
        """Asks for the services, for their files, and for what these import."""
        answer = await self._ask(list_services="*")
        if answer.HasField("error_response"):
            raise _rpc_error(answer.error_response)
        listed = (service.name for service in answer.list_services_response.service)
        # What is not UTF-8 the runtime gives as bytes.
        self.services = [name for name in dict.fromkeys(listed) if isinstance(name, str)]
        if len(self.services) > MAX_SERVICES:
            raise ProtoError(f"the server lists {len(self.services)} services, more than {MAX_SERVICES}")
        for service in self.services:
            if service not in self.defined_in:
                self._keep(await self._ask(file_containing_symbol=service), service)
        asked = 0
        while asked < len(self._imported):
            # Answers may add names.
            for name in list(self._imported)[asked:]:
                asked += 1
                if name not in self.files:
                    self._keep(await self._ask(file_by_filename=name), name)

    async def _ask(self, **question: str) -> Any:
        # As on grpc.aio's calls: the channel may be one of its.
        await self._call.write(Request(**question))
        answer = await self._call.read()
        if answer is grpc.aio.EOF:
            raise ProtoError("the server ended the call in place of an answer")
        return answer

    def _keep(self, answer: Any, what: str) -> None:
        """Takes the files of an answer to the question for the service, or the file, `what`."""
        if answer.HasField("error_response"):
            error = answer.error_response
            self.problems[what] = f"the server has no {what}: {error.error_message or error.error_code}"
            return
        for serialized in answer.file_descriptor_response.file_descriptor_proto:
            self._size += len(serialized)
            if self._size > MAX_BYTES:
                raise ProtoError(f"the server sends more than {MAX_BYTES >> 20} MiB")
            try:
                file = parsed(serialized)
            except ValueError as error:
                self.problems[what] = f"what the server sends for {what} is no descriptor: {error}"
                continue
            if file.name in self.files:
                continue
            self.files[file.name] = serialized
            self._imported.update(dict.fromkeys(file.dependency))
            if max(len(self.files), len(self._imported)) > MAX_FILES:
                raise ProtoError(f"the server's files, with what they import, are more than {MAX_FILES}")
            prefix = f"{file.package}." if file.package else ""
            for service in file.service:
                self.defined_in.setdefault(prefix + service.name, file.name)


def _rpc_error(error: Any) -> RpcError:
    """The error for a refusal to list services."""
    code = status_code(error.error_code)
    if code is grpc.StatusCode.OK:
        code = grpc.StatusCode.UNKNOWN
    return RpcError(code, str(error.error_message))


def _protos(label: str, asking: _Asking) -> Protos:
    # Some servers do not have protobuf's own files.
    files = {**asking.files, **missing_of(asking.files)}
    pool, left_out = filled(files)
    problems: dict[str, str] = {}
    found: dict[str, str] = {}
    for service in asking.services:
        file = asking.defined_in.get(service)
        if file is None:
            there_is_none = f"no file that the server sends has a service {service}"
            problems[service] = asking.problems.get(service, there_is_none)
        elif file in left_out:
            problems[service] = left_out[file]
        else:
            found[service] = file
    if problems and not found:
        reasons = dict.fromkeys(problems.values())
        raise ProtoError("\n".join([f"nothing of what {label} tells can be used:", *list(reasons)[:20]]))
    usable = {name: files[name] for name in files if name not in left_out}
    # Those of the reflection are not what was asked for.
    own = [found[service] for service in found if service in _OWN]
    asked = [found[service] for service in found if service not in _OWN]
    return Protos(label, shared(usable, pool), asked, own, problems)
