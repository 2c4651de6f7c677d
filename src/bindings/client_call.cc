// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/bindings/client_call.h"

#include <grpc/byte_buffer.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "src/bindings/py_ref.h"
#include "src/bindings/python_hooks.h"

namespace uvgrpc {
namespace {

// What a client starts all at once keeps its server idle meanwhile; what it
// starts in parts costs it more writes. Streams, which wait for each other,
// gain from less time than unary calls.
constexpr std::chrono::microseconds kUnaryPatience{500};
constexpr std::chrono::microseconds kStreamPatience{250};
// How long a server is given to read what it was sent last, before the call is
// cancelled because nobody waits for its end.
constexpr std::chrono::milliseconds kReadingTime{200};

}  // namespace

ClientCall* ClientCall::New(std::shared_ptr<Channel> channel,
                            const Arguments& arguments,
                            OutgoingMetadata* metadata) {
  auto* call = new ClientCall(std::move(channel), arguments);
  call->outgoing_metadata_.Swap(metadata);
  call->Collect();
  return call;
}

ClientCall::ClientCall(std::shared_ptr<Channel> channel,
                       const Arguments& arguments)
    : Call(channel->shared_context(),
           arguments.request_streaming ? kStreamPatience : kUnaryPatience),
      channel_(std::move(channel)),
      arguments_(arguments),
      outgoing_(this),
      incoming_(this),
      done_tag_(this, &ClientCall::HandleDone),
      connected_tag_(this, &ClientCall::HandleConnected),
      initial_metadata_tag_(this, &ClientCall::HandleInitialMetadata),
      send_tag_(this, &ClientCall::HandleSent),
      details_(grpc_empty_slice()) {
  grpc_metadata_array_init(&initial_metadata_);
  grpc_metadata_array_init(&trailing_metadata_);
  channel_->AddCall(this);
}

ClientCall::~ClientCall() {
  channel_->RemoveCall(this);
  if (!arguments_.request_streaming) grpc_slice_unref(arguments_.request);
  if (arguments_.method == nullptr) grpc_slice_unref(arguments_.path);
  for (grpc_metadata_array* metadata :
       {&initial_metadata_, &trailing_metadata_}) {
    for (size_t i = 0; owns_metadata_ && i < metadata->count; ++i) {
      grpc_slice_unref(metadata->metadata[i].key);
      grpc_slice_unref(metadata->metadata[i].value);
    }
    grpc_metadata_array_destroy(metadata);
  }
  grpc_byte_buffer_destroy(response_);
  grpc_slice_unref(details_);
  gpr_free(const_cast<char*>(error_string_));
}

// ---- starting

void ClientCall::StartPending() {
  if (!std::exchange(started_, true)) {
    if (!Create()) return;
    if (is_unary()) {
      StartUnary();
    } else {
      StartStreams();
    }
  }
  if (!has_core()) return;
  if (arguments_.response_streaming) incoming_.Start();
  if (arguments_.request_streaming) StartSends();
}

bool ClientCall::Create() {
  if (cancelled_before_start_) {
    FinishLocally(GRPC_STATUS_CANCELLED, cancel_details_.c_str());
    return false;
  }
  if (channel_->is_closed()) {
    FinishLocally(GRPC_STATUS_CANCELLED, "Channel closed!");
    return false;
  }
  call_ = arguments_.method != nullptr
              ? grpc_channel_create_registered_call(
                    channel_->core(), /*parent_call=*/nullptr,
                    GRPC_PROPAGATE_DEFAULTS, context_->cq(), arguments_.method,
                    arguments_.deadline, nullptr)
              : grpc_channel_create_call(
                    channel_->core(), /*parent_call=*/nullptr,
                    GRPC_PROPAGATE_DEFAULTS, context_->cq(), arguments_.path,
                    /*host=*/nullptr, arguments_.deadline, nullptr);
  if (arguments_.credentials != nullptr) {
    // Core adds its own reference.
    grpc_call_set_credentials(call_, arguments_.credentials.get());
    arguments_.credentials.reset();
  }
  return true;
}

size_t ClientCall::AddRequestOps(grpc_op* ops) {
  ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
  ops[0].flags = arguments_.initial_metadata_flags;
  ops[0].data.send_initial_metadata.count = outgoing_metadata_.size();
  ops[0].data.send_initial_metadata.metadata = outgoing_metadata_.data();
  if (arguments_.request_streaming) return 1;
  request_ = grpc_raw_byte_buffer_create(&arguments_.request, 1);
  ops[1].op = GRPC_OP_SEND_MESSAGE;
  ops[1].data.send_message.send_message = request_;
  ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
  return 3;
}

size_t ClientCall::AddStatusOp(grpc_op* op) {
  op->op = GRPC_OP_RECV_STATUS_ON_CLIENT;
  op->data.recv_status_on_client.trailing_metadata = &trailing_metadata_;
  op->data.recv_status_on_client.status = &code_;
  op->data.recv_status_on_client.status_details = &details_;
  op->data.recv_status_on_client.error_string = &error_string_;
  return 1;
}

void ClientCall::StartUnary() {
  grpc_op ops[6];
  std::memset(ops, 0, sizeof(ops));
  size_t count = AddRequestOps(ops);
  ops[count].op = GRPC_OP_RECV_INITIAL_METADATA;
  ops[count++].data.recv_initial_metadata.recv_initial_metadata =
      &initial_metadata_;
  ops[count].op = GRPC_OP_RECV_MESSAGE;
  ops[count++].data.recv_message.recv_message = &response_;
  count += AddStatusOp(&ops[count]);
  StartBatch(ops, count, &done_tag_);
  // Core has taken its own references by now.
  grpc_byte_buffer_destroy(std::exchange(request_, nullptr));
}

void ClientCall::StartStreams() {
  grpc_op ops[3];
  // The status first: it must be on its way when another batch fails.
  std::memset(ops, 0, sizeof(ops));
  size_t count = 0;
  if (!arguments_.response_streaming) {
    ops[count].op = GRPC_OP_RECV_MESSAGE;
    ops[count++].data.recv_message.recv_message = &response_;
  }
  count += AddStatusOp(&ops[count]);
  StartBatch(ops, count, &done_tag_);

  std::memset(ops, 0, sizeof(ops));
  StartBatch(ops, AddRequestOps(ops), &connected_tag_);
  grpc_byte_buffer_destroy(std::exchange(request_, nullptr));

  std::memset(ops, 0, sizeof(ops));
  ops[0].op = GRPC_OP_RECV_INITIAL_METADATA;
  ops[0].data.recv_initial_metadata.recv_initial_metadata = &initial_metadata_;
  StartBatch(ops, 1, &initial_metadata_tag_);
}

void ClientCall::StartSends() {
  if (sending_ || done_ || !has_core()) return;
  grpc_op ops[2];
  std::memset(ops, 0, sizeof(ops));
  size_t count = outgoing_.AddOp(ops);
  if (half_close_requested_ && !half_closed_ && !outgoing_.has_queued()) {
    half_closed_ = true;
    ops[count++].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
  }
  if (count == 0) return;
  sending_ = true;
  StartBatch(ops, count, &send_tag_);
  outgoing_.ReleaseStarted();
}

// ---- what Python asks for

void ClientCall::HalfClose() {
  if (std::exchange(half_close_requested_, true)) return;
  half_close_time_ = std::chrono::steady_clock::now();
  Collect();
}

void ClientCall::Cancel(const char* details) {
  if (done_) return;
  cancelled_ = true;
  if (has_core()) {
    LoopBridge::CallScope scope(context_->bridge());
    grpc_call_cancel_with_status(call_, GRPC_STATUS_CANCELLED, details,
                                 nullptr);
  } else if (!std::exchange(cancelled_before_start_, true)) {
    cancel_details_ = details;
  }
}

void ClientCall::Relinquish(const char* details) {
  if (done_ || cancel_timer_ != EventEngine::TaskHandle::kInvalid) return;
  if (arguments_.request_streaming && !context_->is_closed()) {
    context_->StartNow();
    const auto until =
        std::max(outgoing_.last_push(), half_close_time_) + kReadingTime;
    if (!done_ && connected_ && std::chrono::steady_clock::now() < until) {
      return CancelAt(until, details);
    }
  }
  Cancel(details);
}

void ClientCall::CancelAt(std::chrono::steady_clock::time_point when,
                          const char* details) {
  // Nobody will read what still comes.
  cancelled_ = true;
  Ref();
  // The engine drops what it does not run: the loop may close.
  std::shared_ptr<ClientCall> self(this,
                                   [](ClientCall* call) { call->Unref(); });
  cancel_timer_ = context_->engine()->RunAfter(
      when - std::chrono::steady_clock::now(),
      [self = std::move(self), text = std::string(details)] {
        self->cancel_timer_ = EventEngine::TaskHandle::kInvalid;
        self->Cancel(text.c_str());
      });
}

void ClientCall::StopTimer() {
  if (cancel_timer_ == EventEngine::TaskHandle::kInvalid) return;
  (void)context_->engine()->Cancel(
      std::exchange(cancel_timer_, EventEngine::TaskHandle::kInvalid));
}

void ClientCall::ReleaseCore() {
  if (!done_ || !has_core() || has_batches() || !channel_->is_closed()) return;
  if (arguments_.response_streaming && !incoming_.has_ended()) {
    // What core still has may be read; but nobody wants it after a cancel.
    if (!cancelled_) return;
    incoming_.End();
  }
  // Metadata is borrowed from core's call.
  owns_metadata_ = true;
  for (const grpc_metadata_array* metadata :
       {&initial_metadata_, &trailing_metadata_}) {
    for (size_t i = 0; i < metadata->count; ++i) {
      grpc_slice_ref(metadata->metadata[i].key);
      grpc_slice_ref(metadata->metadata[i].value);
    }
  }
  UnrefCore();
}

void ClientCall::Abandon() {
  set_owner(nullptr);
  if (done_ && context_->InLoopThread()) return Unref();
  // Not at once: Python lets go of objects wherever it likes, also deep in what
  // core asked of it, or while the program prepares another call.
  context_->bridge()->Post([this, keep_alive = context_] {
    Relinquish("Cancelled upon garbage collection!");
    Unref();
  });
}

void ClientCall::EndWithLoop() { Cancel("The event loop was closed."); }

bool ClientCall::IsStatusHeld() const {
  if (!incoming_.has_message()) return false;
  switch (code_) {
    case GRPC_STATUS_CANCELLED:
    case GRPC_STATUS_DEADLINE_EXCEEDED:
    case GRPC_STATUS_UNAVAILABLE:
    case GRPC_STATUS_INTERNAL:
    case GRPC_STATUS_RESOURCE_EXHAUSTED:
      return false;
    default:
      return true;
  }
}

// ---- what core answers

void ClientCall::FinishLocally(grpc_status_code code, const char* details) {
  code_ = code;
  details_ = grpc_slice_from_copied_string(details);
  has_initial_metadata_ = true;
  incoming_.End();
  // As a batch that comes back.
  Ref();
  CountBatch();
  context_->Complete(&done_tag_);
}

bool ClientCall::HandleConnected(bool ok) {
  connected_ = ok;
  if (wants_progress_ && ok) WakeLater();
  EndBatch();
  return false;
}

bool ClientCall::HandleInitialMetadata(bool /*ok*/) {
  has_initial_metadata_ = true;
  if (wants_progress_) WakeLater();
  EndBatch();
  return false;
}

bool ClientCall::HandleSent(bool ok) {
  sending_ = false;
  if (outgoing_.Finish(ok)) WakeLater();
  StartSends();
  EndBatch();
  return false;
}

bool ClientCall::HandleDone(bool /*ok*/) {
  done_ = true;
  StopTimer();
  if (is_unary()) has_initial_metadata_ = true;
  Leave();
  outgoing_.End();
  // Held back, the status is fetched with the last message.
  if (owner() != nullptr && !IsStatusHeld()) {
    EndBatch(Reference::kKeep);
    return true;
  }
  if (wants_progress_ || outgoing_.has_waiters()) WakeLater();
  EndBatch();
  return false;
}

void ClientCall::DeliverDone() {
  if (const PyRef listener = PyRef::BorrowIfAlive(owner())) {
    g_python.on_client_call_done(listener.get());
    context_->NoteException();
  }
  Wake();
  Unref();
}

void ClientCall::Wake() {
  if (wants_progress_) {
    if (const PyRef listener = PyRef::BorrowIfAlive(owner())) {
      g_python.on_client_call_progress(listener.get());
      context_->NoteException();
    }
  }
  if (incoming_.has_message() || incoming_.at_end() || done_) {
    incoming_.WakeWaiters();
  }
  outgoing_.WakeWaiters();
}

}  // namespace uvgrpc
