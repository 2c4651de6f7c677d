// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/uv_api.h"

#include <dlfcn.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace uvgrpc {

absl::StatusOr<UvApi> UvApi::Load(
    absl::FunctionRef<void*(const char* symbol)> lookup) {
  UvApi api;
#define UVGRPC_LOAD(name)                                               \
  api.name = reinterpret_cast<decltype(api.name)>(lookup("uv_" #name)); \
  if (api.name == nullptr) {                                            \
    return absl::FailedPreconditionError(                               \
        "the libuv that owns this loop has no function uv_" #name);     \
  }
  UVGRPC_UV_FUNCTIONS(UVGRPC_LOAD)
#undef UVGRPC_LOAD
  const unsigned version = api.version();
  if (version < kMinimumVersion || (version >> 16) != UV_VERSION_MAJOR) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the libuv that owns this loop is version ", api.version_string(),
        "; at least 1.45 and below 2 is needed"));
  }
  return api;
}

absl::StatusOr<UvApi> UvApi::FromLoadedLibrary(const char* path) {
  void* library = dlopen(path, RTLD_NOLOAD | RTLD_LAZY | RTLD_LOCAL);
  if (library == nullptr) {
    const char* reason = dlerror();
    return absl::NotFoundError(
        absl::StrCat("no loaded library at ", path, ": ",
                     reason != nullptr ? reason : "unknown reason"));
  }
  // RTLD_NOLOAD took a reference; keeping it pins the code our handles run on.
  return Load([library](const char* symbol) { return dlsym(library, symbol); });
}

}  // namespace uvgrpc
