// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/bindings/loop_capsule.h"

#include "absl/base/no_destructor.h"
#include "absl/strings/str_cat.h"

namespace uvgrpc {

absl::StatusOr<uv_loop_t*> LoopFromCapsule(PyObject* capsule) {
  if (!PyCapsule_CheckExact(capsule)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "expected uvloop's loop capsule, got ", Py_TYPE(capsule)->tp_name));
  }
  void* loop = PyCapsule_GetPointer(capsule, nullptr);
  if (loop == nullptr) {
    PyErr_Clear();
    return absl::InvalidArgumentError(
        "uvloop's loop capsule is named; this version of uvloop is not known");
  }
  return static_cast<uv_loop_t*>(loop);
}

absl::StatusOr<UvApi> UvApiOfModule(const char* path) {
  static const absl::NoDestructor<absl::StatusOr<UvApi>> api(
      UvApi::FromLoadedLibrary(path));
  return *api;
}

}  // namespace uvgrpc
