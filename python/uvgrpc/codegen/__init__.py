# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""protoc-gen-uvgrpc: protoc's plugin for typed stubs and servicers.

For each `x.proto` with services it writes `x_uvgrpc.py` beside protoc's `x_pb2.py`; for a file without
services it writes nothing. docs/codegen.md shows how to use it. Which file does what:

- `plugin`: from protoc's request to its response.
- `messages`: which class of which module a message is.
- `names`: what may be a name in Python, and which are still free.
- `layout`: lines as `ruff format` would break them; docstrings.
- `module`, `stub`, `servicer`: the code.

A servicer's methods of one request and one response are plain methods. Those with streams may be written in
two shapes or three (the requests as an argument, or only the context; responses yielded, or sent), and no
signature of a method is a base of all. So they are attributes, whose type is a union with one callable for
each shape; see `uvgrpc._rpc.generated` for how that suits both mypy and pyright. Alternatives are worse: an
override has to fit all overloads of a method, not one; to pyright no function fits a descriptor or a
protocol; with two base classes for a service there are twice as many names, and a servicer cannot mix
shapes.

Methods of a stub that are deprecated are properties, since an attribute cannot be marked for type checkers.
"""
