// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// A call as the activity that core's promises belong to.

#ifndef UVGRPC_FILTERS_CALL_ACTIVITY_H_
#define UVGRPC_FILTERS_CALL_ACTIVITY_H_

#include <string>
#include <utility>

#include "src/core/lib/channel/channel_stack.h"
#include "src/core/lib/iomgr/call_combiner.h"
#include "src/core/lib/promise/activity.h"
#include "src/core/util/orphanable.h"

namespace uvgrpc {

// Wakers work on any thread. Those that do not own outlive the call: whoever
// was asked for credentials may keep one for good, and the call's memory and
// connection must not wait for it.
class CallActivity : public grpc_core::Activity, private grpc_core::Wakeable {
 protected:
  CallActivity(grpc_call_stack* stack, grpc_core::CallCombiner* combiner);
  ~CallActivity() override;

  // The promise can go on. Runs in the combiner and gives it back.
  virtual void Wake() = 0;
  // Whether the promise, while polled, has asked for another poll.
  bool TakePollAgain() { return std::exchange(poll_again_, false); }

 private:
  class WeakWakeable;

  // Activity.
  void Orphan() override {}
  void ForceImmediateRepoll(grpc_core::WakeupMask) override {
    poll_again_ = true;
  }
  grpc_core::Waker MakeOwningWaker() override;
  grpc_core::Waker MakeNonOwningWaker() override;
  std::string DebugTag() const override { return "uvgrpc client call"; }

  // Wakeable, of owning wakers: each has a reference to the stack.
  void Wakeup(grpc_core::WakeupMask) override;
  void WakeupAsync(grpc_core::WakeupMask mask) override { Wakeup(mask); }
  void Drop(grpc_core::WakeupMask) override;
  std::string ActivityDebugTag(grpc_core::WakeupMask) const override {
    return DebugTag();
  }

  grpc_call_stack* const owner_;
  grpc_core::CallCombiner* const turns_;
  grpc_core::OrphanablePtr<WeakWakeable> weak_;
  bool poll_again_ = false;
};

}  // namespace uvgrpc

#endif  // UVGRPC_FILTERS_CALL_ACTIVITY_H_
