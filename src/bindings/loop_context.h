// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// Everything of uvgrpc that belongs to one event loop.

#ifndef UVGRPC_BINDINGS_LOOP_CONTEXT_H_
#define UVGRPC_BINDINGS_LOOP_CONTEXT_H_

#include <Python.h>
#include <grpc/grpc.h>
#include <uv.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "src/bindings/completion.h"
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
  Collectable() = default;
  ~Collectable() = default;

 private:
  friend class LoopContext;
  // Loop thread, without the GIL, under the ExecCtx that all of the turn's work
  // shares. Drops whatever keeps the object on the list alive.
  virtual void StartCollected() = 0;

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

// The engine, the completion queue, and the two lists that tie a turn together:
// what Python wants started, and what core has completed.
//
// Start: all grpc_call batches of one turn run under one ExecCtx, right before
// the loop polls, so that chttp2 writes once a connection, not once a call.
// Completion: all completions of one turn reach Python under one GIL entry.
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

  bool InLoopThread() const { return bridge()->InLoopThread(); }
  bool is_closed() const { return bridge()->is_closed(); }
  LoopBridge* bridge() const { return engine_->bridge(); }
  grpc_completion_queue* cq() const { return cq_; }

  // The channel argument that puts a channel or server on this loop. Points
  // into the context.
  grpc_arg EngineArg();

  // Counts the turns in which work was started.
  uint64_t turn() const { return turn_; }

  // Puts `work` on the list to start before the loop polls.
  void Collect(Collectable* work);

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

  // Ends all residents, delivers what that completes, and closes the engine.
  // With the GIL; idempotent.
  void Shutdown();

  // Channels and servers that are open, and calls that are under way.
  int resident_count() const { return resident_count_; }

  // TurnHooks
  void StartCollected() override;
  bool DeliverCompletions() override;

 private:
  friend class LoopResident;
  class QueueShutdown;

  const std::shared_ptr<UvEventEngine> engine_;
  // Core's channel argument is a pointer to a shared_ptr of the base class,
  // which it copies.
  std::shared_ptr<EventEngine> engine_for_core_;
  grpc_completion_queue* cq_ = nullptr;
  Collectable* collected_ = nullptr;
  Collectable** collected_tail_ = &collected_;
  CompletionList completed_;
  uint64_t turn_ = 0;
  LoopResident* residents_ = nullptr;
  int resident_count_ = 0;
  bool shut_down_ = false;

  absl::Mutex mu_;
  std::vector<PyObject*> to_decref_ ABSL_GUARDED_BY(mu_);
};

}  // namespace uvgrpc

#endif  // UVGRPC_BINDINGS_LOOP_CONTEXT_H_
