// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// The libuv functions that the engine calls, as a table.
//
// A process may hold several copies of libuv: the one inside uvloop's extension
// module, a system library, and so on. A handle is only meaningful to the copy
// that owns its loop, so the engine never calls a `uv_*` symbol that its own
// linker found: it goes through a UvApi filled in from the owner's library.

#ifndef UVGRPC_IOMGR_UV_UV_API_H_
#define UVGRPC_IOMGR_UV_UV_API_H_

#include <uv.h>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace uvgrpc {

// X(name): the function `uv_name`.
#define UVGRPC_UV_FUNCTIONS(X) \
  X(version)                   \
  X(version_string)            \
  X(handle_size)               \
  X(strerror_r)                \
  X(err_name_r)                \
  X(loop_fork)                 \
  X(close)                     \
  X(unref)                     \
  X(now)                       \
  X(async_init)                \
  X(async_send)                \
  X(prepare_init)              \
  X(prepare_start)             \
  X(check_init)                \
  X(check_start)               \
  X(timer_init)                \
  X(timer_start)               \
  X(poll_init)                 \
  X(poll_start)                \
  X(poll_stop)                 \
  X(getaddrinfo)               \
  X(freeaddrinfo)              \
  X(cancel)

struct UvApi {
#define UVGRPC_DECLARE(name) decltype(&::uv_##name) name = nullptr;
  UVGRPC_UV_FUNCTIONS(UVGRPC_DECLARE)
#undef UVGRPC_DECLARE

  // Fills the table from `lookup`, which maps a symbol name ("uv_close") to its
  // address or null. FAILED_PRECONDITION names the symbol that is missing, or
  // the version when the library is older than kMinimumVersion or of another
  // major version than the headers.
  static absl::StatusOr<UvApi> Load(
      absl::FunctionRef<void*(const char* symbol)> lookup);

  // The table of the library at `path`, which must already be loaded in this
  // process (dlopen with RTLD_NOLOAD): used with the file of uvloop's extension
  // module, whose scope also finds a libuv that it links dynamically.
  static absl::StatusOr<UvApi> FromLoadedLibrary(const char* path);

  // 1.45: the first with uv_run's present order of timers and polling.
  static constexpr unsigned kMinimumVersion = (1u << 16) | (45u << 8);
};

}  // namespace uvgrpc

#endif  // UVGRPC_IOMGR_UV_UV_API_H_
