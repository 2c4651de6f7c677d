// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// References to Python objects, as a type.

#ifndef UVGRPC_BINDINGS_PY_REF_H_
#define UVGRPC_BINDINGS_PY_REF_H_

#include <Python.h>

#include <utility>

namespace uvgrpc {

// Owns one reference, or none. Every member needs the GIL, except moves and the
// destructor of an empty one.
class PyRef {
 public:
  PyRef() = default;
  PyRef(PyRef&& other) noexcept : object_(other.Release()) {}
  PyRef& operator=(PyRef&& other) noexcept {
    PyObject* old = std::exchange(object_, other.Release());
    Py_XDECREF(old);
    return *this;
  }
  ~PyRef() { Py_XDECREF(object_); }

  // Takes over a reference that the caller owns (null after an error).
  static PyRef Steal(PyObject* object) { return PyRef(object); }
  // Adds a reference.
  static PyRef Borrow(PyObject* object) {
    Py_XINCREF(object);
    return PyRef(object);
  }

  // Adds a reference, unless the object is dying: nobody may get hold of it
  // again then, though its weak references' callbacks and its attributes'
  // finalizers, which may let other threads run, come before what it borrowed
  // from is reset. Null for null, too.
  static PyRef BorrowIfAlive(PyObject* object) {
    return object != nullptr && Py_REFCNT(object) > 0 ? Borrow(object)
                                                      : PyRef();
  }

  PyObject* get() const { return object_; }
  [[nodiscard]] PyObject* Release() { return std::exchange(object_, nullptr); }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  explicit PyRef(PyObject* object) : object_(object) {}

  PyObject* object_ = nullptr;
};

}  // namespace uvgrpc

#endif  // UVGRPC_BINDINGS_PY_REF_H_
