// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/orphan_queue.h"

#include <cstddef>
#include <utility>

namespace uvgrpc {
namespace {
thread_local bool t_draining = false;
}  // namespace

OrphanQueue& OrphanQueue::Get() {
  static OrphanQueue* const queue = new OrphanQueue;
  return *queue;
}

void OrphanQueue::Push(absl::AnyInvocable<void()> work) {
  absl::MutexLock lock(mu_);
  queue_.push_back(std::move(work));
  size_.store(queue_.size(), std::memory_order_release);
}

void OrphanQueue::DrainSlow() {
  if (t_draining) return;
  t_draining = true;
  while (true) {
    std::vector<absl::AnyInvocable<void()>> batch;
    {
      absl::MutexLock lock(mu_);
      batch.swap(queue_);
      size_.store(0, std::memory_order_release);
    }
    if (batch.empty()) break;
    for (auto& work : batch) work();
  }
  t_draining = false;
}

}  // namespace uvgrpc
