// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/iomgr_uv/loop_bridge.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <utility>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "src/iomgr_uv/orphan_queue.h"
#include "src/iomgr_uv/time_limit.h"
#include "src/iomgr_uv/uv_handle.h"
#include "src/iomgr_uv/uv_status.h"

namespace uvgrpc {
namespace {

using Clock = std::chrono::steady_clock;

// How long one drain may last before other users of the loop get their turn,
// and how many closures run between two looks at the clock.
constexpr std::chrono::microseconds kDrainTime{500};
constexpr size_t kWorkPerLook = 16;
// There is a drain behind every event of a turn. Once one has left something,
// or the turn has lasted for so long, work that is posted without end gets
// less.
constexpr std::chrono::microseconds kTurnForLongDrains{1000};
constexpr std::chrono::microseconds kShortDrainTime{50};
// Rounds of start-drain-deliver in one prepare callback.
constexpr int kMaxRoundsPerPrepare = 4;

// What a thread knows of itself. The number tells threads apart also after one
// has ended, which neither an address nor a system's thread id does. The bridge
// is the one whose loop the thread ran, or acted for, last.
struct ThisThread {
  uint64_t number;
  uint64_t bridge;
};
thread_local ThisThread t_this_thread = {0, 0};

uint64_t NextNumber() {
  static std::atomic<uint64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

LoopObject::LoopObject(LoopBridge* bridge) : LoopObject(bridge, LinkLater()) {
  Link();
}

LoopObject::LoopObject(LoopBridge* bridge, LinkLater)
    : bridge_(bridge->shared_from_this()) {}

void LoopObject::Link() {
  CHECK(!linked_);
  linked_ = true;
  next_ = bridge_->objects_;
  if (next_ != nullptr) next_->prev_ = this;
  bridge_->objects_ = this;
}

LoopObject::~LoopObject() {
  if (!linked_) return;
  if (next_ != nullptr) next_->prev_ = prev_;
  if (prev_ != nullptr) {
    prev_->next_ = next_;
  } else {
    bridge_->objects_ = next_;
  }
}

struct LoopBridge::Handles {
  UvHandle<uv_async_t, LoopBridge> async;
  UvHandle<uv_prepare_t, LoopBridge> prepare;
  UvHandle<uv_check_t, LoopBridge> check;

  static void OnAsync(uv_async_t* handle) {
    LoopBridge* bridge = UvHandle<uv_async_t, LoopBridge>::OwnerOf(handle);
    CallbackScope scope(bridge);
    bridge->TakeRemoteWork();
  }

  static void OnPrepare(uv_prepare_t* handle) {
    UvHandle<uv_prepare_t, LoopBridge>::OwnerOf(handle)->HandlePrepare();
  }

  static void OnCheck(uv_check_t* handle) {
    UvHandle<uv_check_t, LoopBridge>::OwnerOf(handle)->HandleCheck();
  }
};

void LoopBridge::Work::Run() {
  if (closure != nullptr) {
    closure->Run();
  } else {
    function();
  }
}

absl::StatusOr<std::shared_ptr<LoopBridge>> LoopBridge::Create(
    uv_loop_t* loop, const UvApi& uv) {
  auto bridge = std::make_shared<LoopBridge>(loop, uv);
  auto handles = std::make_unique<Handles>();
  int error = handles->async.Init(
      bridge, bridge.get(), UV_ASYNC, [&](uv_async_t* handle) {
        return uv.async_init(loop, handle, &Handles::OnAsync);
      });
  if (error == 0) {
    error = handles->prepare.Init(
        bridge, bridge.get(), UV_PREPARE,
        [&](uv_prepare_t* handle) { return uv.prepare_init(loop, handle); });
  }
  if (error == 0) {
    error = handles->check.Init(
        bridge, bridge.get(), UV_CHECK,
        [&](uv_check_t* handle) { return uv.check_init(loop, handle); });
  }
  if (error != 0) return UvStatus(uv, error, "setting up the loop");
  // These two cannot fail.
  uv.prepare_start(handles->prepare.get(), &Handles::OnPrepare);
  uv.check_start(handles->check.get(), &Handles::OnCheck);
  bridge->handles_ = std::move(handles);
  absl::MutexLock lock(bridge->mu_);
  bridge->accepts_remote_ = true;
  return bridge;
}

LoopBridge::LoopBridge(uv_loop_t* loop, const UvApi& uv)
    : uv_(uv), loop_(loop), id_(NextNumber()) {
  Claim();
}

LoopBridge::~LoopBridge() { CHECK(objects_ == nullptr); }

bool LoopBridge::InLoopThread() const {
  const ThisThread& self = t_this_thread;
  return self.bridge == id_ &&
         self.number == loop_thread_.load(std::memory_order_relaxed);
}

void LoopBridge::Claim() {
  ThisThread& self = t_this_thread;
  if (self.number == 0) self.number = NextNumber();
  self.bridge = id_;
  loop_thread_.store(self.number, std::memory_order_relaxed);
}

void LoopBridge::Disclaim() {
  if (!InLoopThread()) return;
  turn_stats_.Stop();
  loop_thread_.store(0, std::memory_order_relaxed);
}

bool LoopBridge::HandleFork() {
  const bool is_nobodys = loop_thread_.load(std::memory_order_relaxed) == 0;
  if (is_closed() || (!is_nobodys && !InLoopThread())) return false;
  // Out of descriptors, say: the loop is of no use to the child.
  if (uv_.loop_fork(loop_) != 0) return false;
  // It forgets who was to be woken.
  Wake();
  return true;
}

void LoopBridge::Post(EventEngine::Closure* closure) {
  PostWork(Work{closure, nullptr});
}

void LoopBridge::Post(absl::AnyInvocable<void()> closure) {
  PostWork(Work{nullptr, std::move(closure)});
}

void LoopBridge::PostWork(Work work) {
  if (InLoopThread() &&
      phase_.load(std::memory_order_relaxed) != Phase::kClosed) {
    local_.push_back(std::move(work));
    if (scope_depth_ == 0 && !draining_) ArmPrepare();
    return;
  }
  {
    absl::MutexLock lock(mu_);
    if (accepts_remote_) {
      remote_.push_back(std::move(work));
      if (!std::exchange(remote_signalled_, true)) Wake();
      return;
    }
  }
  OrphanQueue::Get().Push([work = std::move(work)]() mutable { work.Run(); });
}

std::chrono::microseconds LoopBridge::TurnLength(Clock::time_point now) {
  if (turn_began_ == Clock::time_point()) {
    // Both count from the start of the machine's monotonic clock; libuv leaves
    // out what is less than a millisecond.
    const Clock::time_point looked_at_clock{
        std::chrono::milliseconds(static_cast<int64_t>(uv_.now(loop_)) + 1)};
    turn_began_ = std::min(now, looked_at_clock);
  }
  return std::chrono::duration_cast<std::chrono::microseconds>(now -
                                                               turn_began_);
}

void LoopBridge::RequestTurn() {
  turn_requested_ = true;
  if (!in_prepare_) ArmPrepare();
}

void LoopBridge::RequestDelivery() {
  delivery_requested_ = true;
  if (scope_depth_ == 0 && !in_prepare_) ArmPrepare();
}

LoopBridge::CallbackScope::CallbackScope(LoopBridge* bridge)
    : bridge_(bridge->shared_from_this()) {
  bridge->Claim();
  bridge->callback_count_.fetch_add(1, std::memory_order_relaxed);
  ++bridge->scope_depth_;
}

LoopBridge::CallbackScope::~CallbackScope() {
  if (bridge_->scope_depth_ == 1) bridge_->Drain(/*deliver=*/true);
  --bridge_->scope_depth_;
  OrphanQueue::Get().Drain();
}

LoopBridge::CallScope::CallScope(LoopBridge* bridge) : bridge_(bridge) {
  ++bridge_->scope_depth_;
}

LoopBridge::CallScope::~CallScope() {
  if (bridge_->scope_depth_ == 1) bridge_->Drain(/*deliver=*/false);
  --bridge_->scope_depth_;
  OrphanQueue::Get().Drain();
}

void LoopBridge::Drain(bool deliver) {
  if (draining_) return;
  draining_ = true;
  TimeLimit limit(DrainTime());
  bool delivered = false;
  while (!local_.empty() || (deliver && delivery_requested_)) {
    if (!local_.empty()) {
      if ((IsBehind() && due_ == 0) || limit.IsOver()) break;
      RunLocalWork(&limit);
    } else {
      delivered = true;
      delivery_requested_ = false;
      if (hooks_ == nullptr || !hooks_->DeliverCompletions()) break;
      if (limit.IsOver()) break;
    }
  }
  // What is left waits for the next turn, but deliveries must not wait for work
  // that always comes again.
  if (deliver && delivery_requested_ && !delivered) {
    delivery_requested_ = false;
    if (hooks_ != nullptr) (void)hooks_->DeliverCompletions();
  }
  draining_ = false;
  if (!local_.empty() || delivery_requested_) {
    has_drained_long_ = true;
    ArmPrepare();
  }
}

std::chrono::microseconds LoopBridge::DrainTime() {
  if (local_.empty()) return kDrainTime;  // does not look at the clock
  const bool is_short =
      has_drained_long_ || TurnLength(Clock::now()) > kTurnForLongDrains;
  return is_short ? kShortDrainTime : kDrainTime;
}

void LoopBridge::RunLocalWork(TimeLimit* limit) {
  running_.swap(local_);
  size_t done = 0;
  while (done < running_.size()) {
    if (done >= due_ && IsBehind() && !is_closed()) break;
    running_[done++].Run();
    // A loop that is closed meanwhile has no further turn to leave work to.
    if (done % kWorkPerLook == 0 && limit->IsOver() && !is_closed()) break;
  }
  due_ -= std::min(due_, done);
  // The rest goes in front of what was posted meanwhile.
  running_.erase(running_.begin(),
                 running_.begin() + static_cast<std::ptrdiff_t>(done));
  if (!running_.empty()) {
    std::move(local_.begin(), local_.end(), std::back_inserter(running_));
    local_.clear();
    local_.swap(running_);
  }
}

void LoopBridge::ArmPrepare() {
  if (phase_.load(std::memory_order_relaxed) != Phase::kOpen) return;
  prepare_armed_ = true;
  // Armed from its own callback it runs in the next turn: do not sleep first.
  if (in_prepare_ && !IsBehind()) Wake();
}

void LoopBridge::Wake() { CHECK_EQ(uv_.async_send(handles_->async.get()), 0); }

void LoopBridge::HandleCheck() {
  polled_ = Clock::now();
  // libuv looked at its clock when the poll was over, and not since.
  turn_stats_.Begin(
      std::chrono::milliseconds(static_cast<int64_t>(uv_.now(loop_))));
}

void LoopBridge::HandlePrepare() {
  // The handle, which libuv frees in a later phase, keeps this alive.
  if (prepare_armed_) StartAndDrain();
  if (!turn_stats_.has_begun()) HandleCheck();
  const Clock::time_point now = Clock::now();
  turn_stats_.End(std::chrono::duration_cast<std::chrono::milliseconds>(
      now.time_since_epoch()));
  if (hooks_ != nullptr) hooks_->HandleTurnEnd(now - polled_);
  turn_began_ = {};
  has_drained_long_ = false;
}

void LoopBridge::StartAndDrain() {
  prepare_armed_ = false;
  in_prepare_ = true;
  due_ = local_.size();
  {
    CallbackScope scope(this);
    TimeLimit limit(kDrainTime);
    for (int round = 0; round < kMaxRoundsPerPrepare && has_work() &&
                        (round == 0 || !limit.IsOver());
         ++round) {
      if (std::exchange(turn_requested_, false) && hooks_ != nullptr) {
        hooks_->StartCollected();
      }
      Drain(/*deliver=*/true);
    }
  }
  if (has_work()) ArmPrepare();
  in_prepare_ = false;
}

void LoopBridge::TakeRemoteWork() {
  absl::MutexLock lock(mu_);
  remote_signalled_ = false;
  for (Work& work : remote_) local_.push_back(std::move(work));
  remote_.clear();
}

void LoopBridge::Shutdown() {
  if (phase_.load(std::memory_order_relaxed) != Phase::kOpen) return;
  const std::shared_ptr<LoopBridge> keep_alive = shared_from_this();
  Claim();
  phase_.store(Phase::kClosing, std::memory_order_release);
  ++scope_depth_;
  // Not by Drain: posted work may have called us, as when an engine dies on
  // another thread, and then Drain is on the stack.
  const bool was_draining = std::exchange(draining_, true);
  // What the last work posts is run here, so keep going until nothing is left;
  // objects may still be made by work that was under way (a connection that was
  // just accepted), and let go the same way.
  do {
    TakeRemoteWork();
    if (std::exchange(turn_requested_, false) && hooks_ != nullptr) {
      hooks_->StartCollected();
    }
    while (!local_.empty()) {
      std::vector<Work> batch;
      batch.swap(local_);
      for (Work& work : batch) work.Run();
    }
    if (std::exchange(delivery_requested_, false) && hooks_ != nullptr) {
      hooks_->DeliverCompletions();
    }
    while (objects_ != nullptr) {
      LoopObject* object = objects_;
      objects_ = object->next_;
      if (objects_ != nullptr) objects_->prev_ = nullptr;
      object->next_ = nullptr;
      object->linked_ = false;
      object->HandleLoopClosing();
    }
  } while (has_work());
  draining_ = was_draining;
  {
    absl::MutexLock lock(mu_);
    accepts_remote_ = false;
    for (Work& work : remote_) {
      OrphanQueue::Get().Push(
          [work = std::move(work)]() mutable { work.Run(); });
    }
    remote_.clear();
  }
  handles_->async.Close(keep_alive);
  handles_->prepare.Close(keep_alive);
  handles_.reset();
  --scope_depth_;
  phase_.store(Phase::kClosed, std::memory_order_release);
  OrphanQueue::Get().Drain();
}

void LoopBridge::CountHandle(uv_handle_type type, int delta) {
  handles_by_type_[type] += delta;
  handle_count_.fetch_add(delta, std::memory_order_relaxed);
}

std::string LoopBridge::DescribeHandles() const {
  std::vector<std::string> parts;
  const auto add = [&](uv_handle_type type, const char* name) {
    if (handles_by_type_[type] != 0) {
      parts.push_back(absl::StrCat(handles_by_type_[type], " ", name));
    }
  };
#define UVGRPC_ADD(uppercase, lowercase) add(UV_##uppercase, #lowercase);
  UV_HANDLE_TYPE_MAP(UVGRPC_ADD)
#undef UVGRPC_ADD
  return parts.empty() ? "none" : absl::StrJoin(parts, ", ");
}

}  // namespace uvgrpc
