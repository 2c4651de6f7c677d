# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Asking a program's function for the signatures of TLS handshakes.

See grpc.experimental.ssl_channel_credentials_with_custom_signer.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from uvgrpc import _core
from uvgrpc._runtime.threads import run_on_thread
from uvgrpc._under_grpc import recorder

_log = logging.getLogger("uvgrpc")


class SignerCaller:
    """What core calls, on the loop, when a handshake needs a signature.

    Args:
      sign: a function of the data, the algorithm, and what to call with the signature or
        an exception if it returns a function that cancels, not a signature. It may
        block, so it runs on a thread.
    """

    def __init__(self, sign: Callable[..., Any]) -> None:
        self._sign = sign

    def __call__(self, request: _core.SignRequest) -> None:
        run_on_thread(lambda: self._ask(request))

    def _ask(self, request: _core.SignRequest) -> None:
        algorithm = recorder.PrivateKeySignatureAlgorithm(request.algorithm)
        try:
            result = self._sign(request.data, algorithm, lambda result: _answer(request, result))
            if not callable(result):
                _answer(request, result)
            elif not request.set_cancel_notice(result):
                result()
        except BaseException as error:
            _log.exception("the private key signer %r raised an exception", self._sign)
            request.fail(f"Exception in user function: {error}")


def _answer(request: _core.SignRequest, result: Any) -> None:
    if isinstance(result, bytes):
        request.succeed(result)
    elif isinstance(result, Exception):
        request.fail(str(result))
    else:
        request.fail(f"Invalid result type: {type(result)}")
