// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// All timers of one engine, on one uv_timer_t.

#ifndef UVGRPC_IOMGR_UV_TIMER_QUEUE_H_
#define UVGRPC_IOMGR_UV_TIMER_QUEUE_H_

#include <grpc/event_engine/event_engine.h>
#include <uv.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "src/iomgr_uv/loop_bridge.h"
#include "src/iomgr_uv/uv_handle.h"

namespace uvgrpc {

// Add and Cancel may be called from any thread and decide at once, under a
// lock: after Cancel returned true the closure never runs, after it returned
// false the closure has run or is about to. A ticket carries the generation of
// its slot, so that a stale one is a safe miss.
//
// The uv_timer_t is armed for the earliest deadline and left alone when that
// timer is cancelled: the usual RPC deadline is set and cancelled thousands of
// times before it would fire, and one empty callback is cheaper than as many
// calls to libuv.
class TimerQueue final : public LoopObject,
                         public std::enable_shared_from_this<TimerQueue> {
 public:
  using Ticket = uint64_t;
  static constexpr Ticket kNoTicket = 0;

  // Loop thread. Null when libuv cannot make the timer.
  static std::shared_ptr<TimerQueue> Create(std::shared_ptr<LoopBridge> bridge);
  // Use Create.
  explicit TimerQueue(std::shared_ptr<LoopBridge> bridge);
  ~TimerQueue() override;

  // Runs `closure` on the loop thread when `delay` has passed, never earlier,
  // in the order of deadlines. When the loop is closed the closure is dropped,
  // as those are that wait when it closes.
  Ticket Add(EventEngine::Duration delay, EventEngine::Closure* closure);
  Ticket Add(EventEngine::Duration delay, absl::AnyInvocable<void()> closure);

  // Whether the timer was still to fire; then it won't, and an AnyInvocable is
  // destroyed before this returns. True, once, also for a timer that was
  // dropped because the loop closed: who is told false waits for its closure.
  bool Cancel(Ticket ticket);

  // Drops all timers and refuses new ones.
  void HandleLoopClosing() override;

  // Timers that are yet to fire. Any thread.
  size_t size() const;

 private:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
  static constexpr size_t kNotQueued = std::numeric_limits<size_t>::max();

  struct Slot {
    uint32_t generation = 1;
    uint32_t dropped = 0;  // the generation that the closing loop dropped
    size_t heap_index = kNotQueued;
    EventEngine::Closure* closure = nullptr;
    absl::AnyInvocable<void()> function;
  };
  struct Entry {
    int64_t deadline;   // nanoseconds of the monotonic clock
    uint64_t sequence;  // breaks ties in the order of Add
    uint32_t slot;
    bool operator<(const Entry& other) const {
      return deadline != other.deadline ? deadline < other.deadline
                                        : sequence < other.sequence;
    }
  };
  struct Due {
    EventEngine::Closure* closure;
    absl::AnyInvocable<void()> function;
  };

  Ticket AddTimer(EventEngine::Duration delay, EventEngine::Closure* closure,
                  absl::AnyInvocable<void()> function);
  static void OnTimer(uv_timer_t* handle);
  void HandleTimer();
  // Whether to look at the sockets before timers are judged, since the loop was
  // blocked: the answer to a ping may wait there. Arms the handle again then.
  bool MustPollFirst();
  // Loop thread: points the uv_timer_t at the earliest deadline.
  void Arm();

  void Place(size_t index, Entry entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void SiftUp(size_t index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void SiftDown(size_t index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Takes the entry out of the heap and its closure out of the slot.
  Due TakeAt(size_t index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::shared_ptr<LoopBridge> bridge_;
  UvHandle<uv_timer_t, TimerQueue> handle_;  // loop thread

  mutable absl::Mutex mu_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  uint64_t next_sequence_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<Slot> slots_ ABSL_GUARDED_BY(mu_);
  std::vector<uint32_t> free_slots_ ABSL_GUARDED_BY(mu_);
  std::vector<Entry> heap_ ABSL_GUARDED_BY(mu_);
  bool has_deferred_ = false;  // loop thread
  // What the uv_timer_t is armed for, or will be by an Arm that is posted.
  int64_t armed_for_ ABSL_GUARDED_BY(mu_) = kNever;
};

}  // namespace uvgrpc

#endif  // UVGRPC_IOMGR_UV_TIMER_QUEUE_H_
