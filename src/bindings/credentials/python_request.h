// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// A question of core's that only Python can answer.

#ifndef UVGRPC_BINDINGS_CREDENTIALS_PYTHON_REQUEST_H_
#define UVGRPC_BINDINGS_CREDENTIALS_PYTHON_REQUEST_H_

#include <atomic>
#include <memory>
#include <string>

#include "src/bindings/completion.h"
#include "src/bindings/loop_context.h"

namespace uvgrpc {

// Core asks on the loop thread, deep in its own stack. Python is asked later in
// the same turn, from the delivery step, and answers whenever and on whatever
// thread it likes; the answer reaches core on the loop thread. A request ends
// with the first answer, or with its loop.
//
// Counted: one reference until core has its answer, one until Python was asked,
// one of the Python object that may answer.
class PythonRequest : public Completion, public LoopResident {
 public:
  // Any thread.
  void Ref() { refs_.fetch_add(1, std::memory_order_relaxed); }
  void Unref();

  // The right to answer. Whoever is given true must fill in the answer, if
  // there is one, and call Answer. Any thread.
  [[nodiscard]] bool Claim() {
    return !answered_.exchange(true, std::memory_order_acq_rel);
  }
  // Hands the answer to core, or, if not null, what went wrong. Any thread.
  void Answer(const char* error);

 protected:
  // Loop thread. The request is on its way to Python once Start was called.
  explicit PythonRequest(std::shared_ptr<LoopContext> context);
  virtual ~PythonRequest() = default;
  void Start() { context_->Complete(this); }

  LoopContext* context() const { return context_.get(); }
  // For Reply: what went wrong, or null.
  const char* error() const { return failed_ ? error_.c_str() : nullptr; }

  // Loop thread: core no longer wants an answer. After Claim.
  void Drop();

 private:
  // With the GIL: asks Python.
  virtual void Ask() = 0;
  // Loop thread, without the GIL being sure: tells core.
  virtual void Reply() = 0;

  bool Settle(bool ok) final;
  void Deliver() final;
  void EndWithLoop() final;
  void Finish();

  const std::shared_ptr<LoopContext> context_;
  std::atomic<int> refs_{2};
  std::atomic<bool> answered_{false};
  // Written by whoever claimed the answer.
  bool failed_ = false;
  std::string error_;
};

}  // namespace uvgrpc

#endif  // UVGRPC_BINDINGS_CREDENTIALS_PYTHON_REQUEST_H_
