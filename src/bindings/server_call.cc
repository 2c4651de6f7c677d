// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/bindings/server_call.h"

#include <grpc/byte_buffer.h>
#include <grpc/slice.h>

#include <cstring>
#include <utility>

#include "src/bindings/py_ref.h"
#include "src/bindings/python_hooks.h"
#include "src/core/transport/auth_context.h"

namespace uvgrpc {
namespace {

// A server has the replies of a turn together soon, and its clients have work
// of their own: more writes cost it more than they bring.
constexpr std::chrono::microseconds kPatience{500};

}  // namespace

grpc_core::Server::RegisteredCallAllocation ServerCall::AllocateRegistered(
    Server* server, int method, bool reads_request) {
  auto* call = new ServerCall(server, method, reads_request);
  return {call->request_tag_.tag(),
          &call->call_,
          &call->request_metadata_,
          &call->deadline_,
          reads_request ? &call->request_ : nullptr,
          call->context()->cq()};
}

grpc_core::Server::BatchCallAllocation ServerCall::AllocateGeneric(
    Server* server) {
  auto* call = new ServerCall(server, /*method=*/-1, /*reads_request=*/false);
  return {call->request_tag_.tag(), &call->call_, &call->request_metadata_,
          &call->details_, call->context()->cq()};
}

ServerCall::ServerCall(Server* server, int method, bool reads_request)
    : Call(server->shared_context(), kPatience),
      server_(server),
      method_(method),
      reads_request_(reads_request),
      deadline_(gpr_inf_future(GPR_CLOCK_MONOTONIC)),
      incoming_(this),
      outgoing_(this),
      reply_details_(grpc_empty_slice()),
      request_tag_(this, &ServerCall::HandleRequest,
                   &ServerCall::DeliverRequest, /*begins_call=*/true),
      close_tag_(this, &ServerCall::HandleClosed, &ServerCall::DeliverClosed),
      send_tag_(this, &ServerCall::HandleSent, &ServerCall::DeliverClosed) {
  server->AddCall(this);
  // The request, which core is about to fill in.
  CountBatch();
  grpc_metadata_array_init(&request_metadata_);
  grpc_call_details_init(&details_);
}

ServerCall::~ServerCall() {
  for (size_t i = 0; owns_metadata_ && i < request_metadata_.count; ++i) {
    grpc_slice_unref(request_metadata_.metadata[i].key);
    grpc_slice_unref(request_metadata_.metadata[i].value);
  }
  grpc_metadata_array_destroy(&request_metadata_);
  grpc_call_details_destroy(&details_);
  grpc_byte_buffer_destroy(request_);
  grpc_slice_unref(reply_details_);
  grpc_auth_context_release(auth_context_);
  // The call first: core's server must not go before its calls.
  UnrefCore();
  server_->RemoveCall(this);
}

void ServerCall::ReleaseCore() {
  if (!closed_ || !has_core() || has_batches()) return;
  peer_ = Call::Peer();
  auth_context_ = grpc_call_auth_context(call_);
  // Metadata is borrowed from core's call.
  owns_metadata_ = true;
  for (size_t i = 0; i < request_metadata_.count; ++i) {
    grpc_slice_ref(request_metadata_.metadata[i].key);
    grpc_slice_ref(request_metadata_.metadata[i].value);
  }
  UnrefCore();
}

std::string ServerCall::Peer() const {
  return has_core() ? Call::Peer() : peer_;
}

grpc_auth_context* ServerCall::NewAuthContext() const {
  if (has_core()) return grpc_call_auth_context(call_);
  return auth_context_ == nullptr
             ? nullptr
             : auth_context_->Ref(DEBUG_LOCATION, "ServerCall").release();
}

bool ServerCall::HandleRequest(bool ok) {
  if (ok) {
    StandWith(request_tag_);
    close_tag_.StandWith(request_tag_);
    send_tag_.StandWith(request_tag_);
    if (method_ < 0) deadline_ = details_.deadline;
    if (server_->AddWaiting()) {
      if (reads_request_) incoming_.Seed(std::exchange(request_, nullptr));
      EndBatch(Reference::kKeep);
      return true;
    }
    reply_.code = GRPC_STATUS_RESOURCE_EXHAUSTED;
    reply_.details = "Too many RPCs wait to be handled!";
    SendReply();
  }
  EndBatch();
  return false;
}

void ServerCall::DeliverRequest() {
  server_->RemoveWaiting();
  const PyRef listener =
      context_->is_closed() ? PyRef() : PyRef::BorrowIfAlive(server_->owner());
  if (listener) {
    g_python.on_request(listener.get(), this, method_);
    context_->NoteException();
  } else {
    Cancel(GRPC_STATUS_UNAVAILABLE, "The server was shut down.");
  }
  Unref();
}

void ServerCall::Cancel(grpc_status_code code, const char* details) {
  if (!has_core()) return;
  LoopBridge::CallScope scope(context_->bridge());
  grpc_call_cancel_with_status(call_, code, details, nullptr);
}

void ServerCall::Abandon() {
  set_owner(nullptr);
  context_->RunFromPython([this, keep_alive = context_] {
    if (!reply_requested_ && !closed_) {
      Cancel(GRPC_STATUS_INTERNAL,
             "The handler ended without answering the call.");
    }
    Unref();
  });
}

void ServerCall::EndWithLoop() {
  if (closed_) return;
  Cancel(GRPC_STATUS_UNAVAILABLE, "The server's event loop was closed.");
}

void ServerCall::WaitForEnd() {
  if (std::exchange(close_requested_, true)) return;
  Collect();
}

void ServerCall::SendInitialMetadata() {
  initial_metadata_requested_ = true;
  Collect();
}

void ServerCall::SendReply() {
  reply_requested_ = true;
  close_requested_ = true;
  Collect();
}

size_t ServerCall::AddInitialMetadata(grpc_op* op) {
  if (std::exchange(initial_metadata_started_, true)) return 0;
  op->op = GRPC_OP_SEND_INITIAL_METADATA;
  op->data.send_initial_metadata.count = initial_metadata_.size();
  op->data.send_initial_metadata.metadata = initial_metadata_.data();
  return 1;
}

size_t ServerCall::AddStatus(grpc_op* op) {
  reply_started_ = true;
  auto& status = op->data.send_status_from_server;
  op->op = GRPC_OP_SEND_STATUS_FROM_SERVER;
  status.trailing_metadata_count = reply_.trailing_metadata.size();
  status.trailing_metadata = reply_.trailing_metadata.data();
  status.status = reply_.code;
  if (!reply_.details.empty()) {
    reply_details_ = grpc_slice_from_copied_buffer(reply_.details.data(),
                                                   reply_.details.size());
    status.status_details = &reply_details_;
  }
  return 1;
}

size_t ServerCall::AddClose(grpc_op* op) {
  if (!close_requested_ || std::exchange(close_started_, true)) return 0;
  op->op = GRPC_OP_RECV_CLOSE_ON_SERVER;
  op->data.recv_close_on_server.cancelled = &cancelled_;
  return 1;
}

void ServerCall::StartPending() {
  if (!has_core()) return;
  incoming_.Start();
  StartSends();
  // An RPC that is not answered yet waits for its end by itself.
  grpc_op op;
  std::memset(&op, 0, sizeof(op));
  if (AddClose(&op) != 0) StartBatch(&op, 1, &close_tag_);
}

void ServerCall::StartSends() {
  if (sending_ || reply_started_ || !has_core()) return;
  grpc_op ops[4];
  std::memset(ops, 0, sizeof(ops));
  size_t count = 0;
  const bool ends = reply_requested_;
  if (initial_metadata_requested_ || outgoing_.has_queued() || ends) {
    count += AddInitialMetadata(ops);
  }
  count += outgoing_.AddOp(&ops[count]);
  if (ends && !outgoing_.has_queued()) {
    count += AddStatus(&ops[count]);
    // The tag then tells of both.
    const size_t close = AddClose(&ops[count]);
    closes_with_reply_ = close != 0;
    count += close;
  }
  if (count == 0) return;
  sending_ = true;
  StartBatch(ops, count, &send_tag_);
  outgoing_.ReleaseStarted();
}

bool ServerCall::HandleSent(bool ok) {
  sending_ = false;
  if (outgoing_.Finish(ok)) WakeLater();
  if (closes_with_reply_) return HandleClosed(ok);
  StartSends();
  EndBatch();
  return false;
}

bool ServerCall::HandleClosed(bool /*ok*/) {
  closed_ = true;
  Leave();
  const bool cut_off = cancelled_ != 0 && !reply_requested_;
  if ((owner() != nullptr && (wants_close_ || cut_off)) ||
      server_->is_stopped()) {
    EndBatch(Reference::kKeep);
    return true;
  }
  EndBatch();
  return false;
}

void ServerCall::DeliverClosed() {
  if (const PyRef listener = PyRef::BorrowIfAlive(owner())) {
    g_python.on_server_call_closed(listener.get());
    context_->NoteException();
  }
  if (server_->is_stopped()) server_->ReleaseCore();
  Unref();
}

void ServerCall::Wake() {
  if (incoming_.has_message() || incoming_.at_end()) incoming_.WakeWaiters();
  outgoing_.WakeWaiters();
}

}  // namespace uvgrpc
