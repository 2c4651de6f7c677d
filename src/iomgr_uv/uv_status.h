// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// libuv error codes as absl::Status.

#ifndef UVGRPC_IOMGR_UV_UV_STATUS_H_
#define UVGRPC_IOMGR_UV_UV_STATUS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "src/iomgr_uv/uv_api.h"

namespace uvgrpc {

// What the C library calls a positive errno value: "Connection refused".
std::string ErrnoText(int error);

// For what is set up, such as a listener: a code that says what is wrong. Not
// for connections, whose errors must have the codes below.

// The status for a libuv error (negative; 0 gives OK), with a message like
// "accept at 127.0.0.1:1: Too many open files (EMFILE)". `what` says what was
// being done. UV_ECANCELED becomes CANCELLED.
absl::Status UvStatus(const UvApi& uv, int error, absl::string_view what);

// The same for a positive errno value.
absl::Status ErrnoStatus(int error, absl::string_view what);

// The two below have the codes and words of gRPC's own engine: core hands the
// first to RPCs as it is, service configs retry on the code, and programs
// search for the words.

// Why an established connection is lost, whatever the error: UNAVAILABLE,
// "recvmsg:Connection reset by peer (104)". `what` is put before the reason.
absl::Status ConnectionLost(absl::string_view what, int error);

// Why a connection was not made. `at_once`: connect() itself said so.
absl::Status ConnectFailed(absl::string_view peer_uri, int error, bool at_once);

}  // namespace uvgrpc

#endif  // UVGRPC_IOMGR_UV_UV_STATUS_H_
