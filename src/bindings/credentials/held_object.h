// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// A Python object that an object of core's keeps.

#ifndef UVGRPC_BINDINGS_CREDENTIALS_HELD_OBJECT_H_
#define UVGRPC_BINDINGS_CREDENTIALS_HELD_OBJECT_H_

#include <Python.h>

#include <memory>

#include "src/bindings/loop_context.h"

namespace uvgrpc {

// Made with the GIL. Destroyed on any thread, with or without the GIL, even
// under a lock of core's: the reference is dropped later, from the loop, or
// from the main thread when the loop is closed.
class HeldObject {
 public:
  HeldObject(std::shared_ptr<LoopContext> context, PyObject* object);
  ~HeldObject();
  HeldObject(const HeldObject&) = delete;
  HeldObject& operator=(const HeldObject&) = delete;

  PyObject* get() const { return object_; }
  const std::shared_ptr<LoopContext>& context() const { return context_; }

 private:
  const std::shared_ptr<LoopContext> context_;
  PyObject* const object_;
};

}  // namespace uvgrpc

#endif  // UVGRPC_BINDINGS_CREDENTIALS_HELD_OBJECT_H_
