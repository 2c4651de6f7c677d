// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/uv_status.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace uvgrpc {
namespace {

// libuv's codes on Unix are negated errno values, apart from a few of its own,
// which are from here on (UV_EAI_*, UV_EOF).
constexpr int kFirstOfLibuv = 3000;

absl::StatusCode CodeFor(int error) {
  switch (error) {
    case UV_ECANCELED:
    case UV_EAI_CANCELED:
      return absl::StatusCode::kCancelled;
    case UV_EINVAL:
    case UV_ENAMETOOLONG:
    case UV_EAFNOSUPPORT:
    case UV_EPROTONOSUPPORT:
    case UV_EAI_SERVICE:
      return absl::StatusCode::kInvalidArgument;
    case UV_EACCES:
    case UV_EPERM:
      return absl::StatusCode::kPermissionDenied;
    case UV_EADDRINUSE:
      return absl::StatusCode::kAlreadyExists;
    case UV_ENOMEM:
    case UV_EAI_MEMORY:
    case UV_EMFILE:
    case UV_ENFILE:
    case UV_ENOBUFS:
      return absl::StatusCode::kResourceExhausted;
    case UV_ETIMEDOUT:
      return absl::StatusCode::kDeadlineExceeded;
    case UV_EAI_NONAME:
    case UV_EAI_NODATA:
    case UV_EAI_ADDRFAMILY:
      return absl::StatusCode::kNotFound;
    default:
      return absl::StatusCode::kUnavailable;
  }
}

absl::Status Make(int uv_error, absl::string_view what,
                  absl::string_view reason, absl::string_view name) {
  return absl::Status(CodeFor(uv_error),
                      absl::StrFormat("%s: %s (%s)", what, reason, name));
}

// What strerror_r returns: GNU's the text, which may be one of its own instead
// of the buffer; that of POSIX 0, and the text is in the buffer.
[[maybe_unused]] const char* TextOf(const char* text, const char* /*buffer*/) {
  return text;
}
[[maybe_unused]] const char* TextOf(int failed, const char* buffer) {
  return failed == 0 ? buffer : "Unknown error";
}

}  // namespace

std::string ErrnoText(int error) {
  char buffer[128];
  return TextOf(strerror_r(error, buffer, sizeof(buffer)), buffer);
}

absl::Status UvStatus(const UvApi& uv, int error, absl::string_view what) {
  if (error >= 0) return absl::OkStatus();
  char name[32];
  uv.err_name_r(error, name, sizeof(name));
  if (-error < kFirstOfLibuv) return Make(error, what, ErrnoText(-error), name);
  char reason[128];
  uv.strerror_r(error, reason, sizeof(reason));
  return Make(error, what, reason, name);
}

absl::Status ErrnoStatus(int error, absl::string_view what) {
  if (error == 0) return absl::OkStatus();
  return Make(-error, what, ErrnoText(error), absl::StrCat("errno ", error));
}

absl::Status ConnectionLost(absl::string_view what, int error) {
  return absl::UnavailableError(
      absl::StrFormat("%s%s (%d)", what, ErrnoText(error), error));
}

absl::Status ConnectFailed(absl::string_view peer_uri, int error,
                           bool at_once) {
  if (at_once) {
    return absl::FailedPreconditionError(
        absl::StrFormat("Failed to connect to remote host: connect failed: "
                        "addr: %s error: %s",
                        peer_uri, ErrnoText(error)));
  }
  return absl::UnknownError(
      absl::StrCat("Failed to connect to remote host: ", ErrnoText(error)));
}

}  // namespace uvgrpc
