// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// The libuv that the C++ tests are linked with.

#ifndef UVGRPC_TESTS_CPP_LINKED_UV_API_H_
#define UVGRPC_TESTS_CPP_LINKED_UV_API_H_

#include "src/iomgr_uv/uv_api.h"

namespace uvgrpc {

// The table of the linked libuv.
const UvApi& LinkedUvApi();

}  // namespace uvgrpc

#endif  // UVGRPC_TESTS_CPP_LINKED_UV_API_H_
