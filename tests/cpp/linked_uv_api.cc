// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/cpp/linked_uv_api.h"

#include "absl/log/check.h"
#include "src/engine/linked_uv.h"

namespace uvgrpc {

const UvApi& LinkedUvApi() {
  static const UvApi* const api = [] {
    absl::StatusOr<UvApi> loaded = UvApi::Load(&FindLinkedUvSymbol);
    CHECK_OK(loaded.status());
    return new UvApi(*loaded);
  }();
  return *api;
}

}  // namespace uvgrpc
