// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/bindings/waiters.h"

#include <algorithm>
#include <utility>

#include "src/bindings/python_hooks.h"

namespace uvgrpc {

void Waiters::Add(PyObject* future) {
  futures_.erase(std::remove_if(futures_.begin(), futures_.end(),
                                [](const PyRef& one) {
                                  return g_python.is_done(one.get());
                                }),
                 futures_.end());
  futures_.push_back(PyRef::Borrow(future));
}

void Waiters::Wake(bool result) {
  for (const PyRef& future : std::exchange(futures_, {})) {
    g_python.resolve(future.get(), result);
  }
}

}  // namespace uvgrpc
