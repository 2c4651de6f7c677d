// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// References to Python objects, as a type.

#ifndef UVGRPC_BINDINGS_PY_REF_H_
#define UVGRPC_BINDINGS_PY_REF_H_

#include <Python.h>

#include <utility>

#include "src/bindings/gil.h"

namespace uvgrpc {

// Owns one reference, or none. Every member needs the GIL, except moves and the
// destructor of an empty one.
class PyRef {
 public:
  PyRef() = default;
  PyRef(PyRef&& other) noexcept : object_(other.Release()) {}
  PyRef& operator=(PyRef&& other) noexcept {
    Drop(std::exchange(object_, other.Release()));
    return *this;
  }
  ~PyRef() { Drop(object_); }

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

  // A thread that Python ends, on its way out through here, does not have the
  // GIL. And it may be ended in here: the last reference runs other code.
  static void Drop(PyObject* object) {
    if (object == nullptr || PyGILState_Check() == 0) return;
    WhilePythonLives([=] { Py_DECREF(object); });
  }

  PyObject* object_ = nullptr;
};

}  // namespace uvgrpc

#endif  // UVGRPC_BINDINGS_PY_REF_H_
