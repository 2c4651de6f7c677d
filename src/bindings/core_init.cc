// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/bindings/core_init.h"

#include <grpc/grpc.h>

#include <cstdlib>

#include "absl/log/globals.h"
#include "absl/log/initialize.h"
#include "src/core/lib/experiments/config.h"
#include "src/core/lib/iomgr/timer_manager.h"

namespace uvgrpc {

void InitCore() {
  // A completed operation then calls its tag right away. Otherwise it goes
  // through the default engine, which with several loops need not be the
  // call's.
  grpc_core::ForceEnableExperiment("use_call_event_engine_in_completion_queue",
                                   true);
  grpc_timer_manager_set_start_threaded(false);
  absl::InitializeLog();
  grpc_init();
  if (std::getenv("GRPC_VERBOSITY") == nullptr) {
    absl::SetMinLogLevel(absl::LogSeverityAtLeast::kError);
    absl::SetStderrThreshold(absl::LogSeverityAtLeast::kError);
  }
}

}  // namespace uvgrpc
