// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/filters/call_activity.h"

#include "src/core/lib/iomgr/closure.h"
#include "src/core/util/debug_location.h"
#include "src/core/util/ref_counted.h"
#include "src/core/util/sync.h"

namespace uvgrpc {

using grpc_core::MutexLock;
using grpc_core::Waker;
using grpc_core::WakeupMask;

// Lives as long as the activity and its wakers.
class CallActivity::WeakWakeable final : public grpc_core::Wakeable,
                                         public grpc_core::Orphanable {
 public:
  explicit WeakWakeable(CallActivity* activity) : activity_(activity) {}

  void Ref() { refs_.Ref(); }

  void Orphan() override {
    {
      const MutexLock lock(mutex_);
      activity_ = nullptr;
    }
    Unref();
  }

  void Wakeup(WakeupMask mask) override {
    CallActivity* awake = nullptr;
    {
      const MutexLock lock(mutex_);
      // A stack without references is about to be destroyed.
      if (activity_ != nullptr &&
          activity_->owner_->refcount.refs.RefIfNonZero()) {
        awake = activity_;
      }
    }
    if (awake != nullptr) awake->Wakeup(mask);
    Unref();
  }
  void WakeupAsync(WakeupMask mask) override { Wakeup(mask); }
  void Drop(WakeupMask) override { Unref(); }
  std::string ActivityDebugTag(WakeupMask) const override {
    return "uvgrpc client call";
  }

 private:
  void Unref() {
    if (refs_.Unref()) delete this;
  }

  grpc_core::RefCount refs_;
  grpc_core::Mutex mutex_;
  CallActivity* activity_ ABSL_GUARDED_BY(mutex_);
};

CallActivity::CallActivity(grpc_call_stack* stack,
                           grpc_core::CallCombiner* combiner)
    : owner_(stack), turns_(combiner) {}

CallActivity::~CallActivity() = default;

Waker CallActivity::MakeOwningWaker() {
  owner_->IncrementRefCount();
  return Waker(this, 0);
}

Waker CallActivity::MakeNonOwningWaker() {
  if (weak_ == nullptr) weak_.reset(new WeakWakeable(this));
  weak_->Ref();
  return Waker(weak_.get(), 0);
}

void CallActivity::Wakeup(WakeupMask) {
  GRPC_CALL_COMBINER_START(turns_,
                           grpc_core::NewClosure([this](grpc_error_handle) {
                             auto* const stack = owner_;
                             Wake();
                             stack->Unref();
                           }),
                           absl::OkStatus(), "wakeup");
}

void CallActivity::Drop(WakeupMask) { owner_->Unref(); }

}  // namespace uvgrpc
