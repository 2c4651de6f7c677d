# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""How a measurement can fail to give numbers."""


class BenchError(Exception):
    """The benchmark cannot go on, or a peer misbehaved: the text says why."""


class NotYet(Exception):
    """A peer says that it lacks what the scenario needs."""


class NotHere(Exception):
    """A peer cannot run in this environment: the text says what is missing."""
