// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// libuv error codes as absl::Status.

#ifndef UVGRPC_IOMGR_UV_UV_STATUS_H_
#define UVGRPC_IOMGR_UV_UV_STATUS_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "src/iomgr_uv/uv_api.h"

namespace uvgrpc {

// The status for a libuv error (negative; 0 gives OK), with a message like
// "connect to 127.0.0.1:1: connection refused (ECONNREFUSED)". `what` says what
// was being done. Errors of the network become UNAVAILABLE, so that gRPC
// retries; UV_ECANCELED becomes CANCELLED.
absl::Status UvStatus(const UvApi& uv, int error, absl::string_view what);

// The same for a positive errno value.
absl::Status ErrnoStatus(int error, absl::string_view what);

}  // namespace uvgrpc

#endif  // UVGRPC_IOMGR_UV_UV_STATUS_H_
