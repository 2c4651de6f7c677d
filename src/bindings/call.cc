// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/bindings/call.h"

#include <grpc/support/alloc.h>

#include <utility>

#include "absl/log/check.h"
#include "src/bindings/python_hooks.h"
#include "src/core/lib/iomgr/error.h"
#include "src/core/lib/surface/call.h"
#include "src/core/lib/surface/call_utils.h"

namespace uvgrpc {

PythonHooks g_python;

Call::Call(std::shared_ptr<LoopContext> context,
           std::chrono::microseconds patience)
    : Collectable(patience),
      LoopResident(context.get()),
      context_(std::move(context)),
      wake_tag_(this) {}

Call::~Call() { UnrefCore(); }

void Call::UnrefCore() {
  CHECK_EQ(batches_, 0);
  if (call_ != nullptr) grpc_call_unref(std::exchange(call_, nullptr));
}

void Call::Unref() {
  if (refs_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  context_->RunInLoop([this, keep_alive = context_] { delete this; });
}

std::string Call::Peer() const {
  if (call_ == nullptr) return "unknown";
  char* peer = grpc_call_get_peer(call_);
  std::string result = peer;
  gpr_free(peer);
  return result;
}

void Call::Collect() {
  if (std::exchange(on_list_, true)) return;
  Ref();
  context_->Collect(this);
}

void Call::StartCollected() {
  on_list_ = false;
  StartPending();
  Unref();
}

void Call::WakeLater() {
  if (std::exchange(wake_pending_, true)) return;
  Ref();
  context_->Complete(&wake_tag_);
}

void Call::HandleWake() {
  wake_pending_ = false;
  Wake();
  Unref();
}

void Call::StartBatch(const grpc_op* ops, size_t count,
                      Completion* completion) {
  CHECK(call_ != nullptr);
  Ref();
  ++batches_;
  grpc_core::Call* core = grpc_core::Call::FromC(call_);
  const grpc_call_error error = core->StartBatch(
      ops, count, completion->tag(), /*is_notify_tag_closure=*/false);
  if (error == GRPC_CALL_OK) return;
  // Nothing was started. What grpc_call_start_batch does then: the call fails,
  // and the batch completes. The public function itself cannot be used to try
  // again, because core does not free the slot of a batch that it refused.
  CHECK_EQ(error, GRPC_CALL_ERROR_INVALID_METADATA);
  core->CancelWithStatus(GRPC_STATUS_INTERNAL, "Invalid metadata");
  grpc_core::PreFillReceiveOpsForInvalidMetadata(ops, count);
  core->FailBatchImmediately(completion->tag(),
                             /*is_notify_tag_closure=*/false,
                             GRPC_ERROR_CREATE("Invalid metadata"));
}

void Call::EndBatch(Reference reference) {
  CHECK_GT(batches_, 0);
  if (--batches_ == 0) HandleIdle();
  if (reference == Reference::kDrop) Unref();
}

}  // namespace uvgrpc
