// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// From a Python event loop to its uv_loop_t.

#ifndef UVGRPC_BINDINGS_LOOP_CAPSULE_H_
#define UVGRPC_BINDINGS_LOOP_CAPSULE_H_

#include <Python.h>
#include <uv.h>

#include "absl/status/statusor.h"
#include "src/iomgr_uv/uv_api.h"

namespace uvgrpc {

// The uv_loop_t in the capsule that uvloop.loop.libuv_get_loop_t_ptr() returns.
// INVALID_ARGUMENT when it is not such a capsule. Needs the GIL; leaves no
// Python exception behind.
absl::StatusOr<uv_loop_t*> LoopFromCapsule(PyObject* capsule);

// The functions of the libuv inside the extension module at `path`
// (uvloop.loop.__file__), looked up once a process. See
// UvApi::FromLoadedLibrary.
absl::StatusOr<UvApi> UvApiOfModule(const char* path);

}  // namespace uvgrpc

#endif  // UVGRPC_BINDINGS_LOOP_CAPSULE_H_
