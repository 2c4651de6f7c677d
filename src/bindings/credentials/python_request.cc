// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/bindings/credentials/python_request.h"

#include <utility>

namespace uvgrpc {

PythonRequest::PythonRequest(std::shared_ptr<LoopContext> context)
    : Completion(context.get()),
      LoopResident(context.get()),
      context_(std::move(context)) {}

void PythonRequest::Unref() {
  if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

bool PythonRequest::Settle(bool /*ok*/) {
  if (!answered_.load(std::memory_order_acquire)) return true;
  Unref();
  return false;
}

void PythonRequest::Deliver() {
  // Not if the loop ended it while other completions were delivered.
  if (!answered_.load(std::memory_order_acquire)) {
    Ask();
    context_->NoteException();
  }
  Unref();
}

void PythonRequest::EndWithLoop() {
  if (!Claim()) return;
  failed_ = true;
  error_ = "the event loop was closed";
  Finish();
}

void PythonRequest::Answer(const char* error) {
  if (error != nullptr) {
    failed_ = true;
    error_ = error;
  }
  context_->RunInLoop([this, keep_alive = context_] { Finish(); });
}

void PythonRequest::Finish() {
  Leave();
  Reply();
  Unref();
}

void PythonRequest::Drop() {
  Leave();
  Unref();
}

}  // namespace uvgrpc
