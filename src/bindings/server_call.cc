// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/bindings/server_call.h"

#include <grpc/byte_buffer.h>
#include <grpc/slice.h>

#include <cstring>
#include <utility>

#include "src/bindings/py_ref.h"
#include "src/bindings/python_hooks.h"

namespace uvgrpc {

grpc_core::Server::RegisteredCallAllocation ServerCall::AllocateRegistered(
    Server* server, int method, bool reads_request) {
  auto* call = new ServerCall(server, method);
  return {call->request_tag_.tag(),
          &call->call_,
          &call->request_metadata_,
          &call->deadline_,
          reads_request ? &call->request_ : nullptr,
          call->context()->cq()};
}

grpc_core::Server::BatchCallAllocation ServerCall::AllocateGeneric(
    Server* server) {
  auto* call = new ServerCall(server, /*method=*/-1);
  return {call->request_tag_.tag(), &call->call_, &call->request_metadata_,
          &call->details_, call->context()->cq()};
}

ServerCall::ServerCall(Server* server, int method)
    : Call(server->shared_context()),
      server_(server),
      method_(method),
      deadline_(gpr_inf_future(GPR_CLOCK_MONOTONIC)),
      reply_details_(grpc_empty_slice()),
      request_tag_(this, &ServerCall::HandleRequest,
                   &ServerCall::DeliverRequest),
      close_tag_(this, &ServerCall::HandleClosed, &ServerCall::DeliverClosed),
      reply_tag_(this, &ServerCall::HandleReply, &ServerCall::DeliverClosed),
      receive_tag_(this, &ServerCall::HandleReceived,
                   &ServerCall::DeliverReceived),
      initial_metadata_tag_(this, &ServerCall::HandleInitialMetadataSent,
                            &ServerCall::DeliverInitialMetadataSent) {
  server->Ref();
  grpc_metadata_array_init(&request_metadata_);
  grpc_call_details_init(&details_);
}

ServerCall::~ServerCall() {
  grpc_metadata_array_destroy(&request_metadata_);
  grpc_call_details_destroy(&details_);
  grpc_byte_buffer_destroy(request_);
  grpc_slice_unref(reply_details_);
  if (reply_.has_message) grpc_slice_unref(reply_.message);
  // The call first: core's server must not go before its calls.
  if (call_ != nullptr) grpc_call_unref(std::exchange(call_, nullptr));
  server_->Unref();
}

bool ServerCall::HandleRequest(bool ok) {
  if (ok) {
    if (method_ < 0) deadline_ = details_.deadline;
    return true;
  }
  Unref();
  return false;
}

void ServerCall::DeliverRequest() {
  if (server_->owner() != nullptr && !context_->is_closed()) {
    const PyRef listener = PyRef::Borrow(server_->owner());
    close_requested_ = true;
    Collect();
    g_python.on_request(listener.get(), this, method_);
  } else {
    grpc_call_cancel_with_status(call_, GRPC_STATUS_UNAVAILABLE,
                                 "The server was shut down.", nullptr);
  }
  Unref();
}

void ServerCall::Abandon() {
  set_owner(nullptr);
  context_->RunInLoop([this, keep_alive = context_] {
    if (!reply_requested_ && !closed_) {
      grpc_call_cancel_with_status(
          call_, GRPC_STATUS_INTERNAL,
          "The handler ended without answering the call.", nullptr);
    }
    Unref();
  });
}

void ServerCall::EndWithLoop() {
  if (call_ == nullptr || closed_) return;
  grpc_call_cancel_with_status(call_, GRPC_STATUS_UNAVAILABLE,
                               "The server's event loop was closed.", nullptr);
}

void ServerCall::ReceiveMessage(PyObject* future) {
  receive_future_ = future;
  Py_INCREF(future);
  receive_requested_ = true;
  Collect();
}

void ServerCall::SendInitialMetadata(PyObject* future) {
  initial_metadata_future_ = future;
  Py_INCREF(future);
  initial_metadata_requested_ = true;
  Collect();
}

void ServerCall::SendReply() {
  reply_requested_ = true;
  Collect();
}

size_t ServerCall::AddInitialMetadata(grpc_op* op) {
  if (std::exchange(initial_metadata_started_, true)) return 0;
  op->op = GRPC_OP_SEND_INITIAL_METADATA;
  op->data.send_initial_metadata.count = initial_metadata_.size();
  op->data.send_initial_metadata.metadata = initial_metadata_.data();
  return 1;
}

void ServerCall::StartPending() {
  grpc_op ops[4];
  std::memset(ops, 0, sizeof(ops));
  if (std::exchange(receive_requested_, false)) {
    ops[0].op = GRPC_OP_RECV_MESSAGE;
    ops[0].data.recv_message.recv_message = &request_;
    StartBatch(ops, 1, &receive_tag_);
    std::memset(ops, 0, sizeof(ops));
  }
  if (std::exchange(initial_metadata_requested_, false)) {
    StartBatch(ops, AddInitialMetadata(ops), &initial_metadata_tag_);
    std::memset(ops, 0, sizeof(ops));
  }
  size_t count = 0;
  Completion* tag = &close_tag_;
  grpc_byte_buffer* message = nullptr;
  if (reply_requested_ && !std::exchange(reply_started_, true)) {
    tag = &reply_tag_;
    count += AddInitialMetadata(&ops[count]);
    if (reply_.has_message) {
      message = grpc_raw_byte_buffer_create(&reply_.message, 1);
      ops[count].op = GRPC_OP_SEND_MESSAGE;
      ops[count].flags = reply_.message_flags;
      ops[count].data.send_message.send_message = message;
      ++count;
    }
    auto& status = ops[count].data.send_status_from_server;
    ops[count].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
    status.trailing_metadata_count = reply_.trailing_metadata.size();
    status.trailing_metadata = reply_.trailing_metadata.data();
    status.status = reply_.code;
    if (!reply_.details.empty()) {
      reply_details_ = grpc_slice_from_copied_buffer(reply_.details.data(),
                                                     reply_.details.size());
      status.status_details = &reply_details_;
    }
    ++count;
  }
  if (close_requested_ && !std::exchange(close_started_, true)) {
    ops[count].op = GRPC_OP_RECV_CLOSE_ON_SERVER;
    ops[count].data.recv_close_on_server.cancelled = &cancelled_;
    ++count;
    // With a reply in the same batch, the reply's tag tells of both.
    if (tag == &reply_tag_) closes_with_reply_ = true;
  }
  if (count > 0) StartBatch(ops, count, tag);
  grpc_byte_buffer_destroy(message);
}

bool ServerCall::HandleClosed(bool /*ok*/) {
  closed_ = true;
  Leave();
  const bool cut_off = cancelled_ != 0 && !reply_requested_;
  if (owner() != nullptr && (wants_close_ || cut_off)) return true;
  Unref();
  return false;
}

bool ServerCall::HandleReply(bool ok) {
  if (closes_with_reply_) return HandleClosed(ok);
  Unref();
  return false;
}

void ServerCall::DeliverClosed() {
  if (owner() != nullptr) {
    const PyRef listener = PyRef::Borrow(owner());
    g_python.on_server_call_closed(listener.get());
  }
  Unref();
}

bool ServerCall::HandleReceived(bool ok) {
  received_ = ok && request_ != nullptr;
  return true;
}

void ServerCall::DeliverReceived() {
  const PyRef future = PyRef::Steal(std::exchange(receive_future_, nullptr));
  g_python.resolve(future.get(), received_);
  Unref();
}

bool ServerCall::HandleInitialMetadataSent(bool ok) {
  initial_metadata_sent_ = ok;
  return true;
}

void ServerCall::DeliverInitialMetadataSent() {
  const PyRef future =
      PyRef::Steal(std::exchange(initial_metadata_future_, nullptr));
  g_python.resolve(future.get(), initial_metadata_sent_);
  Unref();
}

}  // namespace uvgrpc
