// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Python code that waits for something in C++.

#ifndef UVGRPC_BINDINGS_WAITERS_H_
#define UVGRPC_BINDINGS_WAITERS_H_

#include <Python.h>

#include <cstddef>
#include <vector>

#include "src/bindings/py_ref.h"

namespace uvgrpc {

// The futures that wait for the same event. Those that were cancelled
// are forgotten when others come, so that waiting again and again, with a
// time-out each, costs no memory. With the GIL, but for empty().
class Waiters {
 public:
  bool empty() const { return futures_.empty(); }
  void Add(PyObject* future);
  // Moves all of them to the end of `other`.
  void MoveTo(Waiters& other);
  // Resolves all of them with `result`.
  void Wake(bool result);

 private:
  std::vector<PyRef> futures_;
  // So many are reason to look for cancelled ones.
  size_t look_at_ = 1;
};

// Calls `callback` of a task with the waiter that it waited for, if it did;
// null with an exception, as Python's. A daemon thread that Python ends
// meanwhile, which it does while other code runs, does not come back: below are
// our own frames.
PyObject* StepTask(PyObject* callback, PyObject* waiter);

}  // namespace uvgrpc

#endif  // UVGRPC_BINDINGS_WAITERS_H_
