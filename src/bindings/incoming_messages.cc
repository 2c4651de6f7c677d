// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/bindings/incoming_messages.h"

#include <grpc/byte_buffer.h>

#include <cstring>
#include <utility>

#include "src/bindings/call.h"

namespace uvgrpc {
namespace {

// What may wait for Python: so many messages, or the one that passes so many
// bytes.
constexpr size_t kMaxMessages = 16;
constexpr size_t kMaxBytes = 32 * 1024;

}  // namespace

IncomingMessages::IncomingMessages(Call* call)
    : receive_tag_(call->context(), this), call_(call) {}

IncomingMessages::~IncomingMessages() {
  while (!queue_.empty()) grpc_byte_buffer_destroy(queue_.Pop());
  call_->context()->CountBuffered(-static_cast<int64_t>(bytes_));
  grpc_byte_buffer_destroy(slot_);
}

void IncomingMessages::Seed(grpc_byte_buffer* message) {
  if (message == nullptr) {
    ended_ = true;
  } else {
    Push(message);
  }
}

void IncomingMessages::Push(grpc_byte_buffer* message) {
  const size_t size = grpc_byte_buffer_length(message);
  bytes_ += size;
  call_->context()->CountBuffered(static_cast<int64_t>(size));
  queue_.Push(message);
}

bool IncomingMessages::has_room() const {
  return queue_.size() < kMaxMessages && bytes_ < kMaxBytes;
}

grpc_byte_buffer* IncomingMessages::Take() {
  if (!has_message()) return nullptr;
  grpc_byte_buffer* message = queue_.Pop();
  const size_t size = grpc_byte_buffer_length(message);
  bytes_ -= size;
  call_->context()->CountBuffered(-static_cast<int64_t>(size));
  if (wanted_ && !receiving_ && !ended_ && has_room()) call_->Collect();
  return message;
}

void IncomingMessages::Wait(PyObject* future) {
  waiters_.Add(future);
  if (has_message() || ended_) {
    call_->WakeLater();
    return;
  }
  ReadAhead();
}

void IncomingMessages::ReadAhead() {
  wanted_ = true;
  if (!receiving_) call_->Collect();
}

void IncomingMessages::Start() {
  if (!wanted_ || receiving_ || ended_ || !has_room()) return;
  receiving_ = true;
  grpc_op op;
  std::memset(&op, 0, sizeof(op));
  op.op = GRPC_OP_RECV_MESSAGE;
  op.data.recv_message.recv_message = &slot_;
  call_->StartBatch(&op, 1, &receive_tag_);
}

bool IncomingMessages::HandleReceived(bool ok) {
  receiving_ = false;
  grpc_byte_buffer* message = std::exchange(slot_, nullptr);
  if (ok && message != nullptr) {
    Push(message);
    Start();
  } else {
    grpc_byte_buffer_destroy(message);
    ended_ = true;
  }
  if (!waiters_.empty() || !has_room()) call_->WakeLater();
  call_->EndBatch();
  // The tag may be with core again, so it is not what wakes Python.
  return false;
}

}  // namespace uvgrpc
