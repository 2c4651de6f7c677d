// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/engine/core_init.h"

#include <grpc/grpc.h>

#include <cstdlib>

#include "absl/log/globals.h"
#include "absl/log/initialize.h"
#include "src/core/lib/experiments/config.h"
#include "src/core/lib/iomgr/timer_manager.h"
#include "src/core/util/fork.h"
#include "src/filters/filters.h"

namespace uvgrpc {
namespace {

bool IsSet(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

// A big message is several blocks, which the C library maps anew, and the
// kernel clears, for every message: half of the time that one of 1 MiB takes.
// glibc keeps blocks up to the size of the largest that was mapped and freed.
void KeepBigBlocks() {
  void* volatile block = std::malloc(size_t{16} << 20);
  std::free(block);
}

}  // namespace

void InitCore() {
  KeepBigBlocks();
  // A completed operation then calls its tag right away. Otherwise it goes
  // through the default engine, which with several loops need not be the
  // call's.
  grpc_core::ForceEnableExperiment("use_call_event_engine_in_completion_queue",
                                   true);
  // A fork() is python/uvgrpc/_runtime/fork.py's; core's part is for its own
  // poller, and counts every entry into core.
  grpc_core::Fork::Enable(false);
  grpc_timer_manager_set_start_threaded(false);
  // GRPC_TRACE shows what core's own filters do.
  if (!IsSet("GRPC_TRACE")) RegisterFilters();
  absl::InitializeLog();
  grpc_init();
  if (!IsSet("GRPC_VERBOSITY") && !IsSet("GRPC_TRACE")) {
    absl::SetMinLogLevel(absl::LogSeverityAtLeast::kError);
    absl::SetStderrThreshold(absl::LogSeverityAtLeast::kError);
  } else {
    // grpc_init has set the level that the variables ask for; abseil by itself
    // would still keep all but errors from stderr.
    absl::SetStderrThreshold(absl::LogSeverityAtLeast::kInfo);
  }
}

}  // namespace uvgrpc
