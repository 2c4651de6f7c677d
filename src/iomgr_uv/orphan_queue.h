// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// A home for work whose loop is gone.
//
// Core objects may outlive the loop they were made for: a channel that Python
// frees after uvloop.run() returned still has closures to run. They must run,
// or what they hold leaks, but no loop is left to run them on. They wait here
// until some thread next leaves a scope of any bridge (or calls Drain).

#ifndef UVGRPC_IOMGR_UV_ORPHAN_QUEUE_H_
#define UVGRPC_IOMGR_UV_ORPHAN_QUEUE_H_

#include <atomic>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"

namespace uvgrpc {

// Any thread.
class OrphanQueue {
 public:
  // The process's queue; never destroyed, since core may use it until the end.
  static OrphanQueue& Get();

  void Push(absl::AnyInvocable<void()> work);

  // Runs what is queued, and what that queues, on this thread. Does nothing
  // when called from inside a Drain on the same thread.
  void Drain() {
    if (size_.load(std::memory_order_acquire) != 0) DrainSlow();
  }

 private:
  void DrainSlow();

  std::atomic<size_t> size_{0};
  absl::Mutex mu_;
  std::vector<absl::AnyInvocable<void()>> queue_ ABSL_GUARDED_BY(mu_);
};

}  // namespace uvgrpc

#endif  // UVGRPC_IOMGR_UV_ORPHAN_QUEUE_H_
