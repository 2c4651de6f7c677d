// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// What client and server calls share: a grpc_call and its place on a loop.

#ifndef UVGRPC_BINDINGS_CALL_H_
#define UVGRPC_BINDINGS_CALL_H_

#include <Python.h>
#include <grpc/grpc.h>

#include <atomic>
#include <memory>
#include <string>

#include "src/bindings/completion.h"
#include "src/bindings/loop_context.h"

namespace uvgrpc {

// Counted from both sides: one reference of the Python object, one of each
// batch in core, one of the context's list of collected work. Ref and Unref may
// be called from any thread (Python's garbage collector runs where it likes);
// the object is destroyed on the loop thread. Everything else is for the loop
// thread.
class Call : public Collectable, public LoopResident {
 public:
  void Ref() { refs_.fetch_add(1, std::memory_order_relaxed); }
  void Unref();
  // Nothing but the Python object refers to it.
  bool is_idle() const { return refs_.load(std::memory_order_relaxed) == 1; }

  // The peer's address as a URI, as gRPC gives it: "ipv4:127.0.0.1:50051".
  std::string Peer() const;

  grpc_call* core() const { return call_; }
  LoopContext* context() const { return context_.get(); }

  // The Python object that hears of this call, borrowed: it must reset this
  // before it goes. Any thread, with the GIL.
  void set_owner(PyObject* owner) {
    owner_.store(owner, std::memory_order_relaxed);
  }

  // Without the GIL only good to see that nobody listens any more.
  PyObject* owner() const { return owner_.load(std::memory_order_relaxed); }

  // For the parts of a call.
  //
  // Puts the call on its context's list (see LoopContext::Collect).
  void Collect();
  // Starts `ops`, under the ExecCtx of the caller. `completion` follows in any
  // case. Takes a reference, which the completion must drop.
  void StartBatch(const grpc_op* ops, size_t count, Completion* completion);
  // Has Wake called, soon, once.
  void WakeLater();

 protected:
  explicit Call(std::shared_ptr<LoopContext> context);
  virtual ~Call();

  // Wakes the Python code that waits for a part of this call. With the GIL.
  virtual void Wake() = 0;

  // Collectable: drops the list's reference around StartPending.
  void StartCollected() final;
  virtual void StartPending() = 0;

  // Loop thread: core is about to have nothing in work for this call; one
  // reference is left.
  virtual void HandleIdle() {}

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
  bool on_list_ = false;
  bool wake_pending_ = false;
  WakeTag wake_tag_;
};

}  // namespace uvgrpc

#endif  // UVGRPC_BINDINGS_CALL_H_
