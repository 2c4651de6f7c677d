// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/bindings/client_call.h"

#include <grpc/byte_buffer.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>

#include <cstring>
#include <utility>

#include "src/bindings/py_ref.h"
#include "src/bindings/python_hooks.h"

namespace uvgrpc {

ClientCall* ClientCall::NewUnary(std::shared_ptr<Channel> channel,
                                 const Arguments& arguments) {
  auto* call = new ClientCall(std::move(channel), arguments);
  call->Collect();
  return call;
}

ClientCall::ClientCall(std::shared_ptr<Channel> channel,
                       const Arguments& arguments)
    : Call(channel->shared_context()),
      channel_(std::move(channel)),
      arguments_(arguments),
      done_tag_(this),
      details_(grpc_empty_slice()) {
  grpc_metadata_array_init(&initial_);
  grpc_metadata_array_init(&trailing_);
  channel_->AddCall(this);
}

ClientCall::~ClientCall() {
  grpc_slice_unref(arguments_.request);
  grpc_metadata_array_destroy(&initial_);
  grpc_metadata_array_destroy(&trailing_);
  grpc_byte_buffer_destroy(response_);
  grpc_slice_unref(details_);
  gpr_free(const_cast<char*>(error_string_));
}

void ClientCall::StartPending() {
  if (cancelled_before_start_) {
    FinishLocally(GRPC_STATUS_CANCELLED, cancel_details_.c_str());
    return;
  }
  if (channel_->is_closed()) {
    FinishLocally(GRPC_STATUS_CANCELLED, "Channel closed!");
    return;
  }
  call_ = grpc_channel_create_registered_call(
      channel_->core(), /*parent_call=*/nullptr, GRPC_PROPAGATE_DEFAULTS,
      context_->cq(), arguments_.method, arguments_.deadline, nullptr);
  if (arguments_.credentials != nullptr) {
    // Core adds its own reference.
    grpc_call_set_credentials(call_, arguments_.credentials.get());
    arguments_.credentials.reset();
  }
  grpc_byte_buffer* request =
      grpc_raw_byte_buffer_create(&arguments_.request, 1);
  grpc_op ops[6];
  std::memset(ops, 0, sizeof(ops));
  ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
  ops[0].flags = arguments_.initial_metadata_flags;
  ops[0].data.send_initial_metadata.count = outgoing_.size();
  ops[0].data.send_initial_metadata.metadata = outgoing_.data();
  ops[1].op = GRPC_OP_SEND_MESSAGE;
  ops[1].data.send_message.send_message = request;
  ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
  ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
  ops[3].data.recv_initial_metadata.recv_initial_metadata = &initial_;
  ops[4].op = GRPC_OP_RECV_MESSAGE;
  ops[4].data.recv_message.recv_message = &response_;
  ops[5].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
  ops[5].data.recv_status_on_client.trailing_metadata = &trailing_;
  ops[5].data.recv_status_on_client.status = &code_;
  ops[5].data.recv_status_on_client.status_details = &details_;
  ops[5].data.recv_status_on_client.error_string = &error_string_;
  StartBatch(ops, 6, &done_tag_);
  // Core has taken its own references by now.
  grpc_byte_buffer_destroy(request);
}

void ClientCall::FinishLocally(grpc_status_code code, const char* details) {
  code_ = code;
  details_ = grpc_slice_from_copied_string(details);
  Ref();
  context_->Complete(&done_tag_);
}

void ClientCall::Cancel(const char* details) {
  if (done_) return;
  if (call_ != nullptr) {
    LoopBridge::CallScope scope(context_->bridge());
    grpc_call_cancel_with_status(call_, GRPC_STATUS_CANCELLED, details,
                                 nullptr);
  } else if (!std::exchange(cancelled_before_start_, true)) {
    cancel_details_ = details;
  }
}

void ClientCall::Abandon() {
  set_owner(nullptr);
  context_->RunInLoop([this, keep_alive = context_] {
    Cancel("Cancelled upon garbage collection!");
    Unref();
  });
}

void ClientCall::EndWithLoop() { Cancel("The event loop was closed."); }

bool ClientCall::HandleDone(bool /*ok*/) {
  done_ = true;
  Leave();
  channel_->RemoveCall(this);
  if (owner() != nullptr) return true;
  Unref();
  return false;
}

void ClientCall::DeliverDone() {
  if (owner() != nullptr) {
    const PyRef listener = PyRef::Borrow(owner());
    g_python.on_client_call_done(listener.get());
  }
  Unref();
}

}  // namespace uvgrpc
