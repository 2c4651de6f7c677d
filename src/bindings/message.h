// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Messages between Python's bytes and core's slices: one copy each way, none
// for large outgoing ones.

#ifndef UVGRPC_BINDINGS_MESSAGE_H_
#define UVGRPC_BINDINGS_MESSAGE_H_

#include <Python.h>
#include <grpc/grpc.h>
#include <grpc/slice.h>

#include "src/bindings/loop_context.h"

namespace uvgrpc {

// The slice for a serialized message. A large one keeps a reference to `bytes`
// instead of a copy, until core has sent it. With the GIL.
grpc_slice SliceFromBytes(LoopContext* context, PyObject* bytes);

// A new bytes object with what `buffer` holds, decompressed. Null with a Python
// exception (MemoryError, or RuntimeError when decompression fails). With the
// GIL.
PyObject* BytesFromByteBuffer(grpc_byte_buffer* buffer);

// A new str of UTF-8 text; bytes that are not UTF-8 are replaced. With the GIL.
PyObject* StrFromSlice(const grpc_slice& slice);

}  // namespace uvgrpc

#endif  // UVGRPC_BINDINGS_MESSAGE_H_
