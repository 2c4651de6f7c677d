// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/bindings/metadata.h"

#include <grpc/slice.h>

#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "src/bindings/gil.h"
#include "src/bindings/py_ref.h"

namespace uvgrpc {
namespace {

constexpr absl::string_view kBinarySuffix = "-bin";

absl::string_view ViewOf(const grpc_slice& slice) {
  return {reinterpret_cast<const char*>(GRPC_SLICE_START_PTR(slice)),
          GRPC_SLICE_LENGTH(slice)};
}

// The bytes of a str (as UTF-8) or bytes object; false for anything else.
bool ViewOf(PyObject* object, absl::string_view* view) {
  if (PyUnicode_Check(object)) {
    Py_ssize_t size;
    const char* data = PyUnicode_AsUTF8AndSize(object, &size);
    if (data == nullptr) return false;
    *view = {data, static_cast<size_t>(size)};
    return true;
  }
  if (!PyBytes_Check(object)) return false;
  *view = {PyBytes_AS_STRING(object),
           static_cast<size_t>(PyBytes_GET_SIZE(object))};
  return true;
}

grpc_slice SliceOf(absl::string_view view) {
  return grpc_slice_from_copied_buffer(view.data(), view.size());
}

PyObject* Text(absl::string_view view) {
  const auto size = static_cast<Py_ssize_t>(view.size());
  PyObject* text = PyUnicode_DecodeUTF8(view.data(), size, nullptr);
  if (text != nullptr || !PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) {
    return text;
  }
  PyErr_Clear();
  return PyUnicode_DecodeLatin1(view.data(), size, nullptr);
}

}  // namespace

OutgoingMetadata::~OutgoingMetadata() { Clear(); }

void OutgoingMetadata::Clear() {
  for (const grpc_metadata& entry : entries_) {
    grpc_slice_unref(entry.key);
    grpc_slice_unref(entry.value);
  }
  entries_.clear();
}

bool OutgoingMetadata::Assign(PyObject* pairs) {
  Clear();
  if (pairs == Py_None) return true;
  const PyRef iterator = PyRef::Steal(PyObject_GetIter(pairs));
  if (!iterator) return false;
  while (true) {
    const PyRef pair = PyRef::Steal(PyIter_Next(iterator.get()));
    if (!pair) {
      if (PyErr_Occurred() == nullptr) return true;
      break;
    }
    if (!Add(pair.get())) break;
  }
  Clear();
  return false;
}

bool OutgoingMetadata::Add(PyObject* pair) {
  const PyRef items = PyRef::Steal(PySequence_Fast(
      pair, "each entry of metadata must be a pair (key, value)"));
  if (!items) return false;
  if (PySequence_Fast_GET_SIZE(items.get()) != 2) {
    PyErr_Format(PyExc_TypeError,
                 "each entry of metadata must be a pair (key, value), got %R",
                 pair);
    return false;
  }
  PyObject* const key = PySequence_Fast_GET_ITEM(items.get(), 0);
  PyObject* const value = PySequence_Fast_GET_ITEM(items.get(), 1);
  absl::string_view key_view;
  absl::string_view value_view;
  if (!ViewOf(key, &key_view)) {
    if (PyErr_Occurred() == nullptr) {
      PyErr_Format(PyExc_TypeError, "metadata key must be str or bytes, got %R",
                   key);
    }
    return false;
  }
  const bool is_binary = absl::EndsWith(key_view, kBinarySuffix);
  if (is_binary ? !PyBytes_Check(value) : !ViewOf(value, &value_view)) {
    if (PyErr_Occurred() == nullptr) {
      PyErr_Format(PyExc_TypeError,
                   is_binary
                       ? "Binary metadata key=\"%S\" expected bytes, got %S"
                       : "metadata key=\"%S\" expected str or bytes, got %S",
                   key, reinterpret_cast<PyObject*>(Py_TYPE(value)));
    }
    return false;
  }
  if (is_binary) ViewOf(value, &value_view);
  grpc_metadata entry;
  std::memset(&entry, 0, sizeof(entry));
  entry.key = SliceOf(key_view);
  entry.value = SliceOf(value_view);
  entries_.push_back(entry);
  return true;
}

bool OutgoingMetadata::Check() const {
  for (const grpc_metadata& entry : entries_) {
    const absl::string_view key = ViewOf(entry.key);
    const char* const what =
        grpc_header_key_is_legal(entry.key) == 0 ? "key"
        : !absl::EndsWith(key, kBinarySuffix) &&
                grpc_header_nonbin_value_is_legal(entry.value) == 0
            ? "value"
            : nullptr;
    if (what == nullptr) continue;
    const PyRef name = PyRef::Steal(Text(key));
    if (name) {
      PyErr_Format(PyExc_ValueError,
                   "gRPC cannot send metadata with the key %R: the %s has "
                   "characters that are not allowed there",
                   name.get(), what);
    }
    return false;
  }
  return true;
}

bool CheckMetadata(PyObject* pairs) {
  OutgoingMetadata metadata;
  return metadata.Assign(pairs) && metadata.Check();
}

PyObject* MetadataToTuple(const grpc_metadata_array& metadata,
                          PyObject* factory) {
  PyRef tuple =
      PyRef::Steal(PyTuple_New(static_cast<Py_ssize_t>(metadata.count)));
  if (!tuple) return nullptr;
  for (size_t i = 0; i < metadata.count; ++i) {
    const absl::string_view key_view = ViewOf(metadata.metadata[i].key);
    const absl::string_view value_view = ViewOf(metadata.metadata[i].value);
    const PyRef key = PyRef::Steal(Text(key_view));
    const PyRef value = PyRef::Steal(
        absl::EndsWith(key_view, kBinarySuffix)
            ? PyBytes_FromStringAndSize(
                  value_view.data(), static_cast<Py_ssize_t>(value_view.size()))
            : Text(value_view));
    if (!key || !value) return nullptr;
    PyObject* entry = WhilePythonLives([&] {
      return factory == nullptr ? PyTuple_Pack(2, key.get(), value.get())
                                : PyObject_CallFunctionObjArgs(
                                      factory, key.get(), value.get(), nullptr);
    });
    if (entry == nullptr) return nullptr;
    PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i), entry);
  }
  return tuple.Release();
}

}  // namespace uvgrpc
