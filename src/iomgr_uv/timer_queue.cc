// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/timer_queue.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/log/check.h"

namespace uvgrpc {
namespace {

// Timers fired in one callback before other users of the loop get their turn.
constexpr size_t kMaxDuePerCallback = 256;
constexpr int64_t kNanosPerMilli = 1000000;
// When the loop has not polled for so long, what a timer is for may have
// happened already.
constexpr std::chrono::milliseconds kStale{100};

int64_t NowNanos() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// `now + delay` without overflow.
int64_t DeadlineAfter(EventEngine::Duration delay) {
  const int64_t now = NowNanos();
  const int64_t nanos = std::max<int64_t>(delay.count(), 0);
  const int64_t limit = std::numeric_limits<int64_t>::max() - 1;
  return nanos > limit - now ? limit : now + nanos;
}

}  // namespace

std::shared_ptr<TimerQueue> TimerQueue::Create(
    std::shared_ptr<LoopBridge> bridge) {
  auto queue = std::make_shared<TimerQueue>(bridge);
  const int error = queue->handle_.Init(
      bridge, queue.get(), UV_TIMER, [&](uv_timer_t* handle) {
        return bridge->uv().timer_init(bridge->loop(), handle);
      });
  return error == 0 ? queue : nullptr;
}

TimerQueue::TimerQueue(std::shared_ptr<LoopBridge> bridge)
    : LoopObject(bridge.get()), bridge_(std::move(bridge)) {}

TimerQueue::~TimerQueue() = default;

TimerQueue::Ticket TimerQueue::Add(EventEngine::Duration delay,
                                   EventEngine::Closure* closure) {
  return AddTimer(delay, closure, nullptr);
}

TimerQueue::Ticket TimerQueue::Add(EventEngine::Duration delay,
                                   absl::AnyInvocable<void()> closure) {
  return AddTimer(delay, nullptr, std::move(closure));
}

TimerQueue::Ticket TimerQueue::AddTimer(EventEngine::Duration delay,
                                        EventEngine::Closure* closure,
                                        absl::AnyInvocable<void()> function) {
  const int64_t deadline = DeadlineAfter(delay);
  Ticket ticket;
  {
    absl::MutexLock lock(mu_);
    uint32_t slot;
    if (closed_) {
      // Dropped, as those that were there when the loop closed. Not a free
      // slot: tickets of those may still be cancelled.
      slot = static_cast<uint32_t>(slots_.size());
      slots_.emplace_back();
      slots_[slot].dropped = slots_[slot].generation;
      return (static_cast<uint64_t>(slots_[slot].generation) << 32) | slot;
    }
    if (free_slots_.empty()) {
      slot = static_cast<uint32_t>(slots_.size());
      slots_.emplace_back();
    } else {
      slot = free_slots_.back();
      free_slots_.pop_back();
    }
    slots_[slot].closure = closure;
    slots_[slot].function = std::move(function);
    ticket = (static_cast<uint64_t>(slots_[slot].generation) << 32) | slot;
    heap_.push_back(Entry{deadline, next_sequence_++, slot});
    SiftUp(heap_.size() - 1);
    if (deadline >= armed_for_) return ticket;
    armed_for_ = deadline;
  }
  if (bridge_->InLoopThread()) {
    Arm();
  } else {
    bridge_->Post([self = shared_from_this()] { self->Arm(); });
  }
  return ticket;
}

bool TimerQueue::Cancel(Ticket ticket) {
  const uint32_t slot = static_cast<uint32_t>(ticket);
  const uint32_t generation = static_cast<uint32_t>(ticket >> 32);
  Due dropped;  // destroyed after the lock is released
  absl::MutexLock lock(mu_);
  if (slot >= slots_.size()) return false;
  if (closed_) {
    return generation != 0 &&
           generation == std::exchange(slots_[slot].dropped, 0);
  }
  if (slots_[slot].generation != generation ||
      slots_[slot].heap_index == kNotQueued) {
    return false;
  }
  dropped = TakeAt(slots_[slot].heap_index);
  return true;
}

size_t TimerQueue::size() const {
  absl::MutexLock lock(mu_);
  return heap_.size();
}

void TimerQueue::HandleLoopClosing() {
  const std::shared_ptr<TimerQueue> keep_alive = shared_from_this();
  handle_.Close(keep_alive);
  std::vector<Due> dropped;
  absl::MutexLock lock(mu_);
  closed_ = true;
  while (!heap_.empty()) {
    Slot& slot = slots_[heap_.back().slot];
    slot.dropped = slot.generation;
    dropped.push_back(TakeAt(heap_.size() - 1));
  }
}

void TimerQueue::OnTimer(uv_timer_t* handle) {
  UvHandle<uv_timer_t, TimerQueue>::OwnerOf(handle)->HandleTimer();
}

void TimerQueue::HandleTimer() {
  LoopBridge::CallbackScope scope(bridge_.get());
  const std::shared_ptr<TimerQueue> keep_alive = shared_from_this();
  if (MustPollFirst()) return;
  std::vector<Due> due;
  {
    absl::MutexLock lock(mu_);
    armed_for_ = kNever;
    const int64_t now = NowNanos();
    while (!heap_.empty() && heap_[0].deadline <= now &&
           due.size() < kMaxDuePerCallback) {
      due.push_back(TakeAt(0));
    }
  }
  for (Due& timer : due) {
    if (timer.closure != nullptr) {
      timer.closure->Run();
    } else {
      timer.function();
      timer.function = nullptr;
    }
  }
  Arm();
}

bool TimerQueue::MustPollFirst() {
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::nanoseconds(NowNanos()));
  if (has_deferred_ || bridge_->turn_stats().HasPolledWithin(kStale, now)) {
    has_deferred_ = false;
    return false;
  }
  has_deferred_ = true;
  // It runs after the next poll, which does not sleep.
  CHECK_EQ(bridge_->uv().timer_start(handle_.get(), &TimerQueue::OnTimer, 0, 0),
           0);
  return true;
}

void TimerQueue::Arm() {
  int64_t deadline;
  {
    absl::MutexLock lock(mu_);
    if (closed_) return;
    if (heap_.empty()) {
      // What this Arm was posted for is cancelled. The next Add must not think
      // that the handle is armed.
      armed_for_ = kNever;
      return;
    }
    deadline = armed_for_ = heap_[0].deadline;
  }
  // libuv counts from its cached time, in whole milliseconds: round the
  // deadline up and subtract the cached time, not the present one.
  const uint64_t target = static_cast<uint64_t>(deadline / kNanosPerMilli) +
                          (deadline % kNanosPerMilli != 0 ? 1 : 0);
  const uint64_t cached = bridge_->uv().now(bridge_->loop());
  CHECK_EQ(bridge_->uv().timer_start(handle_.get(), &TimerQueue::OnTimer,
                                     target > cached ? target - cached : 0, 0),
           0);
}

void TimerQueue::Place(size_t index, Entry entry) {
  heap_[index] = entry;
  slots_[entry.slot].heap_index = index;
}

void TimerQueue::SiftUp(size_t index) {
  const Entry entry = heap_[index];
  while (index > 0) {
    const size_t parent = (index - 1) / 2;
    if (!(entry < heap_[parent])) break;
    Place(index, heap_[parent]);
    index = parent;
  }
  Place(index, entry);
}

void TimerQueue::SiftDown(size_t index) {
  const Entry entry = heap_[index];
  while (true) {
    size_t child = 2 * index + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1] < heap_[child]) ++child;
    if (!(heap_[child] < entry)) break;
    Place(index, heap_[child]);
    index = child;
  }
  Place(index, entry);
}

TimerQueue::Due TimerQueue::TakeAt(size_t index) {
  const uint32_t slot_index = heap_[index].slot;
  const Entry last = heap_.back();
  heap_.pop_back();
  if (index < heap_.size()) {
    Place(index, last);
    SiftUp(index);
    SiftDown(slots_[last.slot].heap_index);
  }
  Slot& slot = slots_[slot_index];
  Due due{std::exchange(slot.closure, nullptr), std::move(slot.function)};
  slot.function = nullptr;
  slot.heap_index = kNotQueued;
  // Generation 0 would make kNoTicket a valid ticket of slot 0.
  if (++slot.generation == 0) slot.generation = 1;
  free_slots_.push_back(slot_index);
  return due;
}

}  // namespace uvgrpc
