// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// The libuv that a program is linked with, whichever that is.

#ifndef UVGRPC_ENGINE_LINKED_UV_H_
#define UVGRPC_ENGINE_LINKED_UV_H_

#include <cstring>

#include "src/iomgr_uv/uv_api.h"

namespace uvgrpc {

// A lookup for UvApi::Load: the address of a function by name ("uv_close"),
// null for one the engine does not know.
inline void* FindLinkedUvSymbol(const char* symbol) {
#define UVGRPC_FIND(name)                         \
  if (std::strcmp(symbol, "uv_" #name) == 0) {    \
    return reinterpret_cast<void*>(&::uv_##name); \
  }
  UVGRPC_UV_FUNCTIONS(UVGRPC_FIND)
#undef UVGRPC_FIND
  return nullptr;
}

}  // namespace uvgrpc

#endif  // UVGRPC_ENGINE_LINKED_UV_H_
