// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Metadata between Python's pairs and core's arrays.

#ifndef UVGRPC_BINDINGS_METADATA_H_
#define UVGRPC_BINDINGS_METADATA_H_

#include <Python.h>
#include <grpc/grpc.h>

#include <vector>

namespace uvgrpc {

// Metadata to be sent; owns its slices. Everything but Assign may be used
// without the GIL.
class OutgoingMetadata {
 public:
  OutgoingMetadata() = default;
  ~OutgoingMetadata();
  OutgoingMetadata(const OutgoingMetadata&) = delete;
  OutgoingMetadata& operator=(const OutgoingMetadata&) = delete;

  // Takes any iterable of pairs (key, value), or None for nothing. Keys are str
  // or bytes; values str or bytes, and only bytes under a key that ends in
  // "-bin". On failure returns false with TypeError set, which names the entry,
  // and the metadata is empty. With the GIL.
  bool Assign(PyObject* pairs);

  // Whether core will send it; if not, ValueError is set and names the entry.
  // With the GIL.
  bool Check() const;

  void Swap(OutgoingMetadata* other) { entries_.swap(other->entries_); }

  grpc_metadata* data() { return entries_.data(); }
  size_t size() const { return entries_.size(); }

 private:
  bool Add(PyObject* pair);
  void Clear();

  std::vector<grpc_metadata> entries_;
};

// Assign and Check, into nothing.
bool CheckMetadata(PyObject* pairs);

// A tuple of `factory(key, value)` for each entry, or of plain pairs when
// `factory` is null. Keys are str; values are bytes under a key that ends in
// "-bin", else str (Latin-1 when not valid UTF-8). Null with a Python exception
// on failure. With the GIL.
PyObject* MetadataToTuple(const grpc_metadata_array& metadata,
                          PyObject* factory);

}  // namespace uvgrpc

#endif  // UVGRPC_BINDINGS_METADATA_H_
