// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// What client and server calls share: a grpc_call and its place on a loop.

#ifndef UVGRPC_BINDINGS_CALL_H_
#define UVGRPC_BINDINGS_CALL_H_

#include <Python.h>
#include <grpc/grpc.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>

#include "src/bindings/completion.h"
#include "src/bindings/loop_context.h"

namespace uvgrpc {

// Who owns what: this object lives as long as it has references: one of the
// Python object, one of each batch that is with core, one of a completion on
// its way to Python, one of the context's list of collected work. Core's call
// is this object's, from Create or the RPC's arrival until ReleaseCore or the
// destructor; it is let go only when no batch is with core, which counts as its
// own number: references say nothing about that.
//
// Ref and Unref may be called from any thread (Python's garbage collector runs
// where it likes); the object is destroyed on the loop thread. Everything else
// is for the loop thread.
class Call : public Collectable, public LoopResident {
 public:
  void Ref() { refs_.fetch_add(1, std::memory_order_relaxed); }
  void Unref();

  // The peer's address as a URI, as gRPC gives it: "ipv4:127.0.0.1:50051".
  std::string Peer() const;

  // Null when there is none yet, or none any more.
  grpc_call* core() const { return call_; }
  bool has_core() const { return call_ != nullptr; }
  LoopContext* context() const { return context_.get(); }

  // The Python object that hears of this call, borrowed: it must reset this
  // when it goes. Any thread, with the GIL.
  void set_owner(PyObject* owner) {
    owner_.store(owner, std::memory_order_relaxed);
  }

  // Without the GIL only good to see that nobody listens any more; it may be
  // dying (see PyRef::BorrowIfAlive).
  PyObject* owner() const { return owner_.load(std::memory_order_relaxed); }

  // For the parts of a call.
  //
  // Puts the call on its context's list (see LoopContext::Collect).
  void Collect();
  // Starts `ops`, under the ExecCtx of the caller; there must be a call of
  // core's. `completion` follows in any case; when it settles it must call
  // EndBatch once.
  void StartBatch(const grpc_op* ops, size_t count, Completion* completion);
  // A batch has come back, and what it brought was seen to. Drops the batch's
  // reference, or leaves it to a completion on its way to Python, which then
  // drops it.
  enum class Reference { kDrop, kKeep };
  void EndBatch(Reference reference = Reference::kDrop);
  // Has Wake called, soon, once.
  void WakeLater();

 protected:
  Call(std::shared_ptr<LoopContext> context,
       std::chrono::microseconds patience);
  virtual ~Call();

  // Wakes the Python code that waits for a part of this call. With the GIL.
  virtual void Wake() = 0;

  // Collectable: drops the list's reference around StartPending.
  void StartCollected() final;
  virtual void StartPending() = 0;

  // The last batch has come back.
  virtual void HandleIdle() {}
  // See Completion.
  void StandWith(const Completion& first) { wake_tag_.StandWith(first); }
  // Lets go of core's call. No batch may be with core.
  void UnrefCore();
  bool has_batches() const { return batches_ > 0; }
  // Counts a batch that was not started by StartBatch: a server's request.
  void CountBatch() { ++batches_; }

  const std::shared_ptr<LoopContext> context_;
  grpc_call* call_ = nullptr;

 private:
  class WakeTag final : public Completion {
   public:
    explicit WakeTag(Call* call) : Completion(call->context()), call_(call) {}

   private:
    bool Settle(bool /*ok*/) override { return true; }
    void Deliver() override { call_->HandleWake(); }
    Call* const call_;
  };
  void HandleWake();

  std::atomic<PyObject*> owner_{nullptr};
  std::atomic<int> refs_{1};
  int batches_ = 0;  // with core
  bool on_list_ = false;
  bool wake_pending_ = false;
  WakeTag wake_tag_;
};

}  // namespace uvgrpc

#endif  // UVGRPC_BINDINGS_CALL_H_
