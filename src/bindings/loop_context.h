// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Everything of uvgrpc that belongs to one event loop.

#ifndef UVGRPC_BINDINGS_LOOP_CONTEXT_H_
#define UVGRPC_BINDINGS_LOOP_CONTEXT_H_

#include <Python.h>
#include <grpc/grpc.h>
#include <uv.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "src/bindings/completion.h"
#include "src/bindings/py_ref.h"
#include "src/iomgr_uv/loop_bridge.h"
#include "src/iomgr_uv/uv_engine.h"

namespace uvgrpc {

// Work that Python asked for during its turn of the loop. On its context's list
// at most once, whatever was asked for.
class Collectable {
 public:
  Collectable(const Collectable&) = delete;
  Collectable& operator=(const Collectable&) = delete;

 protected:
  // `patience`: how long after the first of a turn's work all that came before
  // this may be started, so that the peer has something to do meanwhile.
  explicit Collectable(std::chrono::microseconds patience)
      : patience_(patience) {}
  ~Collectable() = default;

 private:
  friend class LoopContext;
  // Loop thread, without the GIL, under the ExecCtx that all of the turn's work
  // shares. Drops whatever keeps the object on the list alive.
  virtual void StartCollected() = 0;

  const std::chrono::microseconds patience_;
  Collectable* next_collected_ = nullptr;
  bool is_collected_ = false;
};

// Something that must end when its loop closes: a channel, a server, a call. A
// resident from its construction until it is over.
class LoopResident {
 public:
  LoopResident(const LoopResident&) = delete;
  LoopResident& operator=(const LoopResident&) = delete;

 protected:
  explicit LoopResident(LoopContext* context);
  ~LoopResident() { Leave(); }

  // It is over, though the object may live on: nothing is left to end.
  // Idempotent.
  void Leave();

 private:
  friend class LoopContext;
  // Loop thread, with or without the GIL; must not touch Python.
  virtual void EndWithLoop() = 0;

  LoopContext* const context_;
  bool is_resident_ = true;
  LoopResident* prev_ = nullptr;
  LoopResident* next_ = nullptr;
};

// The engine, the completion queue, and the lists that tie a turn together:
// what Python wants started, and what core has completed.
//
// Start: grpc_call batches that Python asks for one after the other start
// together, under one ExecCtx, so that chttp2 writes once a connection, not
// once a call: at the latest right before the loop polls, and earlier when many
// have gathered or some time has passed, so that the peer has work meanwhile.
// Completion: all completions of one turn are settled without Python, and then
// delivered from one entry of uvloop's ready queue, bounded by the clock. What
// is left over goes on in another entry, behind what is ready then. So whatever
// user code does there, it does in a callback of uvloop's.
//
// Loop thread only, but for InLoopThread, Complete, DecrefLater and RunInLoop;
// residents hold it by shared_ptr, so it outlives them.
class LoopContext final : public TurnHooks,
                          public std::enable_shared_from_this<LoopContext> {
 public:
  static absl::StatusOr<std::shared_ptr<LoopContext>> Create(uv_loop_t* loop,
                                                             const UvApi& uv);
  // Use Create.
  explicit LoopContext(std::shared_ptr<UvEventEngine> engine);
  ~LoopContext() override;

  // `loop` is the _core.Loop (borrowed) that deliveries are scheduled with,
  // null when it goes. With the GIL.
  void set_loop(PyObject* loop) { loop_ = loop; }

  bool InLoopThread() const { return bridge()->InLoopThread(); }
  // The run of the loop begins or ends on this thread. With the GIL.
  void Claim() { bridge()->Claim(); }
  void Disclaim() { bridge()->Disclaim(); }
  // Whether the loop closes or is closed: its ready queue runs no more. Any
  // thread, but on others than the loop's it may lag behind.
  bool is_closed() const { return shut_down_ || bridge()->is_closed(); }
  LoopBridge* bridge() const { return engine_->bridge(); }
  EventEngine* engine() const { return engine_.get(); }
  grpc_completion_queue* cq() const { return cq_; }

  // The channel argument that puts a channel or server on this loop. Points
  // into the context.
  grpc_arg EngineArg();

  // Counts the turns in which work was started.
  uint64_t turn() const { return turn_; }
  // How often completions have been settled.
  uint64_t settlings() const { return settlings_; }

  // Puts `work` on the list to start before the loop polls. May start what was
  // put there before.
  void Collect(Collectable* work);
  // Starts all that is on the list, and what becomes possible by that.
  void StartNow();

  // Any thread: from Completion::OnComplete.
  void Complete(Completion* completion);

  // Drops a Python reference, soon, with the GIL. For core's callbacks, which
  // have none. Any thread.
  void DecrefLater(PyObject* object);

  // Runs `work` on the loop thread: at once when called there, else by a post.
  template <typename Work>
  void RunInLoop(Work work) {
    if (InLoopThread()) {
      LoopBridge::CallScope scope(bridge());
      work();
    } else {
      bridge()->Post(std::move(work));
    }
  }

  // The same for work that starts or ends what core has. It comes from Python,
  // where an object goes when it likes: by a post, too, when core's stack may
  // be below, as it is under the fetcher of a server's certificates.
  template <typename Work>
  void RunFromPython(Work work) {
    if (bridge()->in_scope()) {
      bridge()->Post(std::move(work));
    } else {
      RunInLoop(std::move(work));
    }
  }

  // Ends all residents, delivers what that completes, and closes the engine.
  // With the GIL; idempotent.
  void Shutdown();

  // Channels and servers that are open, and calls that are under way.
  int resident_count() const { return resident_count_; }

  // Batches that wait to start, and completions that wait for Python.
  int collected_count() const { return collected_count_; }
  int waiting_completions() const {
    return completed_count_ + pending_.count();
  }
  // In all: what was started, and what was delivered to Python.
  uint64_t start_count() const { return start_count_; }
  uint64_t delivery_count() const { return delivery_count_; }

  // Bytes of messages that wait for Python, or for core. Any thread: calls may
  // outlive their loop.
  int64_t buffered_bytes() const {
    return buffered_bytes_.load(std::memory_order_relaxed);
  }
  void CountBuffered(int64_t bytes) {
    // Two threads never count at a time: it takes the loop's thread, or, once
    // the loop is closed, the GIL.
    buffered_bytes_.store(buffered_bytes() + bytes, std::memory_order_relaxed);
  }

  // Delivers what has completed, for some time; the rest goes on in another
  // entry of the ready queue. Returns false, with a Python exception, when the
  // loop is to end. With the GIL, from the top of uvloop's stack.
  bool DeliverPending();

  // Takes the Python exception that a hook has left, if it has. Exits are kept
  // until the present completion is through with; anything else is reported.
  void NoteException();

  // TurnHooks
  void StartCollected() override;
  bool DeliverCompletions() override;
  void HandleTurnEnd(std::chrono::steady_clock::duration tasks_took) override;
  bool IsBehind() const override {
    return completed_count_ + pending_.count() >= kBehind;
  }
  uint64_t CompletionCount() const override { return completed_in_all_; }

 private:
  // So many completions that wait are a reason not to make more.
  static constexpr int kBehind = 128;

  friend class LoopResident;
  class QueueShutdown;
  using Clock = std::chrono::steady_clock;

  // Starts what is collected, up to `last` (null: all of it).
  void StartUpTo(const Collectable* last);
  // Settles what has completed, for some time, without the GIL being needed.
  // Returns whether anything had.
  bool SettleCompletions();
  void ScheduleDelivery();
  // Delivers until nothing is left, or the loop is to end, or `limit` is over.
  void DeliverWhile(TimeLimit* limit);
  // Sets the exit that NoteException kept, if there is one.
  bool RaiseExit();
  void DropReferences();

  const std::shared_ptr<UvEventEngine> engine_;
  // Core's channel argument is a pointer to a shared_ptr of the base class,
  // which it copies.
  std::shared_ptr<EventEngine> engine_for_core_;
  grpc_completion_queue* cq_ = nullptr;
  Collectable* collected_ = nullptr;
  Collectable** collected_tail_ = &collected_;
  int collected_count_ = 0;
  Clock::time_point collecting_since_;
  CompletionList completed_;
  int completed_count_ = 0;
  uint64_t completed_in_all_ = 0;
  // What waits for Python, and whether an entry of the ready queue will see to
  // it.
  PendingCompletions pending_;
  // How many may be delivered in a turn, and what that follows from.
  int max_deliveries_ = 32;
  Clock::duration delivery_cost_{0};
  uint64_t delivery_count_at_turn_ = 0;
  int delivered_last_turn_ = 0;
  bool delivery_scheduled_ = false;
  PyObject* loop_ = nullptr;
  PyRef exit_type_;
  PyRef exit_;
  PyRef exit_traceback_;
  uint64_t turn_ = 0;
  uint64_t settlings_ = 0;
  uint64_t start_count_ = 0;
  uint64_t delivery_count_ = 0;
  std::atomic<int64_t> buffered_bytes_{0};
  LoopResident* residents_ = nullptr;
  int resident_count_ = 0;
  std::atomic<bool> shut_down_{false};

  absl::Mutex mu_;
  std::vector<PyObject*> to_decref_ ABSL_GUARDED_BY(mu_);
};

}  // namespace uvgrpc

#endif  // UVGRPC_BINDINGS_LOOP_CONTEXT_H_
