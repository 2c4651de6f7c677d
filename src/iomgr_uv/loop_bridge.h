// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// The engine's tie to a uv_loop_t that somebody else owns and runs.

#ifndef UVGRPC_IOMGR_UV_LOOP_BRIDGE_H_
#define UVGRPC_IOMGR_UV_LOOP_BRIDGE_H_

#include <grpc/event_engine/event_engine.h>
#include <uv.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "src/iomgr_uv/turn_stats.h"
#include "src/iomgr_uv/uv_api.h"

namespace uvgrpc {

using grpc_event_engine::experimental::EventEngine;

class LoopBridge;
class TimeLimit;

template <typename T, typename Owner>
class UvHandle;

// Something that lives on a loop and must let go of it when the loop closes:
// an endpoint's state, a listener, a connection attempt, a lookup. It is on its
// bridge's list from construction, or from Link, until it is destroyed or told
// to let go. Loop thread only, except as said below. Keeps its bridge alive.
class LoopObject {
 public:
  LoopObject(const LoopObject&) = delete;
  LoopObject& operator=(const LoopObject&) = delete;

  // The loop is about to close. Closes all handles and completes, through
  // LoopBridge::Post, every callback that is still owed, with CANCELLED. May
  // destroy the object.
  virtual void HandleLoopClosing() = 0;

 protected:
  explicit LoopObject(LoopBridge* bridge);
  // An object that is made on any thread and calls Link on the loop thread. It
  // may die on any thread before Link, and after HandleLoopClosing.
  struct LinkLater {};
  LoopObject(LoopBridge* bridge, LinkLater);
  virtual ~LoopObject();

  // Puts the object on the list. The loop must not be closed.
  void Link();

 private:
  friend class LoopBridge;
  // Kept until the last of the object is gone: the destructor reads its list.
  const std::shared_ptr<LoopBridge> bridge_;
  bool linked_ = false;
  LoopObject* prev_ = nullptr;
  LoopObject* next_ = nullptr;
};

// What a user of the engine adds to a loop turn. The engine itself knows
// neither Python nor calls; both methods run on the loop thread, at the top of
// the stack, with no lock held.
class TurnHooks {
 public:
  virtual ~TurnHooks() = default;

  // Starts the work that was collected during this turn
  // (LoopBridge::RequestTurn asked for it). Runs before the loop computes its
  // poll time-out.
  virtual void StartCollected() = 0;

  // Hands over completions that arrived since. Returns whether there were any.
  virtual bool DeliverCompletions() = 0;

  // The loop is about to poll. `tasks_took`: all that it did since it last had
  // dealt with what a poll brought.
  virtual void HandleTurnEnd(
      std::chrono::steady_clock::duration /*tasks_took*/) {}

  // Whether so much has completed that the engine should not produce more
  // before the loop has turned. While it is, the loop does not sleep.
  virtual bool IsBehind() const { return false; }

  // How much has completed so far, in all.
  virtual uint64_t CompletionCount() const { return 0; }
};

// Threads: the loop thread is the one that runs the loop: whatever thread libuv
// calls us on, or says so by Claim. Between runs, once Disclaim was called, it
// is nobody's. Post, InLoopThread, Disclaim and handle_count may be called from
// any thread; everything else is for the loop thread.
//
// Phases of a turn: whatever libuv calls us with opens a CallbackScope; when
// the outermost one ends, what was posted meanwhile is drained and completions
// are delivered. A drain is bounded by the clock: what is left goes on in the
// next turn, so that other users of the loop, and other connections, get
// theirs. Work that is posted during a drain runs after all that was there
// before, and in a later turn when deliveries are behind: core yields by
// posting. It does run in that turn, however far behind they are: a combiner of
// core's that has yielded stays locked until then, and gathers work. Work that
// is posted on the loop thread outside a
// scope (Python code between two polls) waits for the prepare handle, which
// runs after uvloop's ready queue and before the poll. Work from other threads
// goes through an async handle. With nothing posted nothing wakes the loop, so
// an idle one sleeps; the prepare handle, and a check handle, only look at the
// clock then.
//
// Lifetime: shared by the engine and everything on the loop. Shutdown() closes
// every handle; afterwards Post still works, through OrphanQueue, so that core
// objects that outlive the loop can be torn down.
class LoopBridge final : public std::enable_shared_from_this<LoopBridge> {
 public:
  // `loop` is borrowed: never run, stopped or closed here. Fails with what
  // libuv says when a handle cannot be made (out of descriptors, say). Calls on
  // the loop thread.
  static absl::StatusOr<std::shared_ptr<LoopBridge>> Create(uv_loop_t* loop,
                                                            const UvApi& uv);
  // Use Create.
  LoopBridge(uv_loop_t* loop, const UvApi& uv);
  ~LoopBridge();
  LoopBridge(const LoopBridge&) = delete;
  LoopBridge& operator=(const LoopBridge&) = delete;

  const UvApi& uv() const { return uv_; }
  uv_loop_t* loop() const { return loop_; }

  // Whether the caller is the loop's thread.
  bool InLoopThread() const;

  // The calling thread is the loop's from here on: it is about to run the loop,
  // or acts for one that does not run, with a lock that keeps others from
  // running it meanwhile (the GIL).
  void Claim();
  // The run of the loop is over, if the calling thread had it.
  void Disclaim();

  // In the child of a fork(): the loop gets an epoll instance, and what else
  // the kernel has for it, of its own. What the child did to the parent's would
  // be done to the parent; libuv even has a ring in memory that both would
  // write. Not for a loop that another thread ran, which is not in the child:
  // false.
  bool HandleFork();

  // Runs `closure` on the loop thread, soon, never before Post returns.
  void Post(EventEngine::Closure* closure);
  void Post(absl::AnyInvocable<void()> closure);

  // A turn that has lasted for longer takes in nothing more of what can wait
  // for another: new connections, and input of those that bring much.
  static constexpr std::chrono::milliseconds kLongTurn{4};

  // How long the present turn has lasted at `now`: since it was first asked
  // for, which costs a turn that nobody asks about nothing, or since the loop
  // looked at its clock after it polled, if that was a millisecond before.
  std::chrono::microseconds TurnLength(
      std::chrono::steady_clock::time_point now);

  // For connections that have waited too long for a turn with time for them:
  // true for one of them each `interval`.
  bool TakeLateRead(std::chrono::steady_clock::time_point now,
                    std::chrono::milliseconds interval) {
    if (now - last_late_read_ < interval) return false;
    last_late_read_ = now;
    return true;
  }

  // Asks for TurnHooks::StartCollected before the loop polls again.
  void RequestTurn();

  // Tells the bridge that TurnHooks has completions to deliver: done when the
  // present scope ends, or before the poll.
  void RequestDelivery();

  // `hooks` must outlive the bridge or be reset to null first.
  void set_turn_hooks(TurnHooks* hooks) { hooks_ = hooks; }

  // Whether a callback of libuv's, or a call from application code into the
  // engine, is on the stack.
  bool in_scope() const { return scope_depth_ > 0; }

  // See TurnHooks.
  bool IsBehind() const { return hooks_ != nullptr && hooks_->IsBehind(); }
  uint64_t CompletionCount() const {
    return hooks_ == nullptr ? 0 : hooks_->CompletionCount();
  }

  // Around what core does with input of one connection.
  class ReadScope {
   public:
    explicit ReadScope(LoopBridge* bridge) : bridge_(bridge) {
      bridge_->read_limit_ = bridge_->CompletionCount() + kFewOfARead;
    }
    ~ReadScope() { bridge_->read_limit_ = 0; }
    ReadScope(const ReadScope&) = delete;
    ReadScope& operator=(const ReadScope&) = delete;

   private:
    LoopBridge* const bridge_;
  };

  // Whether what completes now is one of the few that a connection's input has
  // completed so far. What core does later, because it has yielded, is of many.
  bool IsOneOfFew() const { return CompletionCount() < read_limit_; }

  // Around everything that libuv calls us with.
  class CallbackScope {
   public:
    explicit CallbackScope(LoopBridge* bridge);
    ~CallbackScope();
    CallbackScope(const CallbackScope&) = delete;
    CallbackScope& operator=(const CallbackScope&) = delete;

   private:
    std::shared_ptr<LoopBridge> bridge_;
  };

  // Around a call that comes from application code on the loop thread. Drains
  // posted closures when it ends, but leaves completions to the next turn:
  // application code is on the stack.
  class CallScope {
   public:
    explicit CallScope(LoopBridge* bridge);
    ~CallScope();
    CallScope(const CallScope&) = delete;
    CallScope& operator=(const CallScope&) = delete;

   private:
    LoopBridge* const bridge_;
  };

  // Whether Shutdown was called; then no handle can be opened any more. Any
  // thread.
  bool is_closed() const {
    return phase_.load(std::memory_order_acquire) != Phase::kOpen;
  }

  // Ends everything on the loop: every LoopObject lets go, posted work and the
  // completions it causes run, our handles are closed. The memory of the
  // handles goes when the loop's owner runs it once more to close it.
  // Idempotent.
  void Shutdown();

  // What a bridge needs for itself.
  static constexpr int kOwnHandles = 3;
  // Handles opened and not yet freed by libuv. Any thread.
  int handle_count() const {
    return handle_count_.load(std::memory_order_relaxed);
  }
  // The same by type, for error messages: "2 tcp, 1 timer". Loop thread.
  std::string DescribeHandles() const;
  // How long turns were.
  const TurnStats& turn_stats() const { return turn_stats_; }
  // Closures that wait to run.
  size_t posted_count() const { return local_.size(); }
  // Bytes that wait for a socket to take them.
  size_t unsent_bytes() const { return unsent_bytes_; }
  // For EndpointState.
  void CountUnsent(size_t before, size_t now) { unsent_bytes_ += now - before; }

  // How often libuv has called us with something to do; a measure of wake-ups.
  // Any thread.
  uint64_t callback_count() const {
    return callback_count_.load(std::memory_order_relaxed);
  }

  // For UvHandle only.
  void CountHandle(uv_handle_type type, int delta);

 private:
  friend class LoopObject;

  static constexpr uint64_t kFewOfARead = 16;

  // Either a borrowed Closure or an owned AnyInvocable.
  struct Work {
    EventEngine::Closure* closure = nullptr;
    absl::AnyInvocable<void()> function;
    void Run();
  };
  struct Handles;  // async, prepare and check

  void PostWork(Work work);
  // Runs posted work; with `deliver`, hands over completions too. Not
  // re-entrant: a call from inside does nothing, the outer one goes on.
  // Bounded: what is left over is done in the next turn.
  void Drain(bool deliver);
  // Runs what is posted at present, within `limit`; when deliveries are behind,
  // what is due. For Drain only.
  void RunLocalWork(TimeLimit* limit);
  // How long a drain may last now.
  std::chrono::microseconds DrainTime();
  void ArmPrepare();
  // Makes the coming poll return at once, or wakes the present one.
  void Wake();
  // A poll is over, with what came of it, or the next one is near.
  void HandleCheck();
  void HandlePrepare();
  void StartAndDrain();
  void TakeRemoteWork();
  bool has_work() const {
    return turn_requested_ || delivery_requested_ || !local_.empty();
  }

  // Open, then closing while Shutdown lets everything go (posted work still
  // runs here), then closed (posted work goes to the OrphanQueue).
  enum class Phase { kOpen, kClosing, kClosed };

  const UvApi uv_;
  uv_loop_t* const loop_;
  const uint64_t id_;  // never given out again
  // The number of the loop's thread, which is never given out again either; 0
  // for nobody.
  std::atomic<uint64_t> loop_thread_{0};
  std::atomic<Phase> phase_{Phase::kOpen};

  // Loop thread.
  std::unique_ptr<Handles> handles_;
  TurnHooks* hooks_ = nullptr;
  std::vector<Work> local_;
  std::vector<Work> running_;  // what Drain took from local_; keeps its memory
  size_t due_ = 0;  // of local_, from its front: there when the turn began
  LoopObject* objects_ = nullptr;
  int scope_depth_ = 0;
  bool draining_ = false;
  bool delivery_requested_ = false;
  bool turn_requested_ = false;
  bool prepare_armed_ = false;
  bool in_prepare_ = false;
  TurnStats turn_stats_;
  std::chrono::steady_clock::time_point polled_;      // and its events are over
  std::chrono::steady_clock::time_point turn_began_;  // unless nobody asked
  bool has_drained_long_ = false;                     // in this turn
  std::chrono::steady_clock::time_point last_late_read_;
  uint64_t read_limit_ = 0;  // of CompletionCount; 0 outside of reads
  size_t unsent_bytes_ = 0;
  std::array<int, UV_HANDLE_TYPE_MAX> handles_by_type_{};

  std::atomic<int> handle_count_{0};
  std::atomic<uint64_t> callback_count_{0};

  absl::Mutex mu_;
  std::vector<Work> remote_ ABSL_GUARDED_BY(mu_);
  // Whether async_send was called for what is in remote_.
  bool remote_signalled_ ABSL_GUARDED_BY(mu_) = false;
  // Guards against uv_async_send on a handle that is being closed.
  bool accepts_remote_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace uvgrpc

#endif  // UVGRPC_IOMGR_UV_LOOP_BRIDGE_H_
