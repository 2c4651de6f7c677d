// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/cpp/linked_uv_api.h"

#include <cstring>

#include "absl/log/check.h"

namespace uvgrpc {

void* FindLinkedUvSymbol(const char* symbol) {
#define UVGRPC_FIND(name)                         \
  if (std::strcmp(symbol, "uv_" #name) == 0) {    \
    return reinterpret_cast<void*>(&::uv_##name); \
  }
  UVGRPC_UV_FUNCTIONS(UVGRPC_FIND)
#undef UVGRPC_FIND
  return nullptr;
}

const UvApi& LinkedUvApi() {
  static const UvApi* const api = [] {
    absl::StatusOr<UvApi> loaded = UvApi::Load(&FindLinkedUvSymbol);
    CHECK_OK(loaded.status());
    return new UvApi(*loaded);
  }();
  return *api;
}

}  // namespace uvgrpc
