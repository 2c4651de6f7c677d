// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/bindings/credentials/held_object.h"

#include <utility>

namespace uvgrpc {

HeldObject::HeldObject(std::shared_ptr<LoopContext> context, PyObject* object)
    : context_(std::move(context)), object_(object) {
  Py_INCREF(object_);
}

HeldObject::~HeldObject() {
  if (!context_->is_closed()) {
    context_->DecrefLater(object_);
    return;
  }
  Py_AddPendingCall(
      [](void* object) {
        Py_DECREF(static_cast<PyObject*>(object));
        return 0;
      },
      object_);
}

}  // namespace uvgrpc
