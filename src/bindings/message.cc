// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/bindings/message.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>

#include <cstring>
#include <memory>

namespace uvgrpc {
namespace {

// From this size on, pinning the object is cheaper than copying its bytes.
constexpr Py_ssize_t kPinThreshold = 16 * 1024;

struct PinnedBytes {
  std::shared_ptr<LoopContext> context;
  PyObject* bytes;
};

void UnpinBytes(void* arg) {
  const std::unique_ptr<PinnedBytes> pinned(static_cast<PinnedBytes*>(arg));
  pinned->context->DecrefLater(pinned->bytes);
}

}  // namespace

grpc_slice SliceFromBytes(LoopContext* context, PyObject* bytes) {
  char* const data = PyBytes_AS_STRING(bytes);
  const Py_ssize_t size = PyBytes_GET_SIZE(bytes);
  if (size < kPinThreshold) return grpc_slice_from_copied_buffer(data, size);
  Py_INCREF(bytes);
  return grpc_slice_new_with_user_data(
      data, size, &UnpinBytes,
      new PinnedBytes{context->shared_from_this(), bytes});
}

PyObject* BytesFromByteBuffer(grpc_byte_buffer* buffer) {
  if (buffer->data.raw.compression == GRPC_COMPRESS_NONE &&
      buffer->data.raw.slice_buffer.count == 1) {
    const grpc_slice& slice = buffer->data.raw.slice_buffer.slices[0];
    return PyBytes_FromStringAndSize(
        reinterpret_cast<const char*>(GRPC_SLICE_START_PTR(slice)),
        static_cast<Py_ssize_t>(GRPC_SLICE_LENGTH(slice)));
  }
  grpc_byte_buffer_reader reader;
  if (grpc_byte_buffer_reader_init(&reader, buffer) == 0) {
    PyErr_SetString(PyExc_RuntimeError,
                    "a received message could not be decompressed");
    return nullptr;
  }
  // Decompression made its own buffer, of the final length.
  PyObject* bytes = PyBytes_FromStringAndSize(
      nullptr,
      static_cast<Py_ssize_t>(grpc_byte_buffer_length(reader.buffer_out)));
  if (bytes != nullptr) {
    char* out = PyBytes_AS_STRING(bytes);
    grpc_slice* slice;
    while (grpc_byte_buffer_reader_peek(&reader, &slice) != 0) {
      std::memcpy(out, GRPC_SLICE_START_PTR(*slice), GRPC_SLICE_LENGTH(*slice));
      out += GRPC_SLICE_LENGTH(*slice);
    }
  }
  grpc_byte_buffer_reader_destroy(&reader);
  return bytes;
}

PyObject* StrFromSlice(const grpc_slice& slice) {
  return PyUnicode_DecodeUTF8(
      reinterpret_cast<const char*>(GRPC_SLICE_START_PTR(slice)),
      static_cast<Py_ssize_t>(GRPC_SLICE_LENGTH(slice)), "replace");
}

}  // namespace uvgrpc
