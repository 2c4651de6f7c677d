// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/bindings/waiters.h"

#include <utility>

#include "src/bindings/gil.h"
#include "src/bindings/python_hooks.h"

namespace uvgrpc {

void Waiters::Add(PyObject* future) {
  // Dropped last: that may run code which comes here again.
  std::vector<PyRef> cancelled;
  if (futures_.size() >= look_at_) {
    std::vector<PyRef> waiting;
    for (PyRef& one : futures_) {
      (g_python.is_done(one.get()) ? cancelled : waiting)
          .push_back(std::move(one));
    }
    futures_ = std::move(waiting);
    // Twice as many as still wait: looking stays cheap when many do.
    look_at_ = 2 * futures_.size() + 1;
  }
  futures_.push_back(PyRef::Borrow(future));
}

void Waiters::MoveTo(Waiters& other) {
  for (PyRef& future : std::exchange(futures_, {})) {
    other.futures_.push_back(std::move(future));
  }
}

void Waiters::Wake(bool result) {
  for (const PyRef& future : std::exchange(futures_, {})) {
    g_python.resolve(future.get(), result);
  }
}

PyObject* StepTask(PyObject* callback, PyObject* waiter) {
  return WhilePythonLives([&] {
    return waiter == nullptr ? PyObject_CallNoArgs(callback)
                             : PyObject_CallOneArg(callback, waiter);
  });
}

}  // namespace uvgrpc
