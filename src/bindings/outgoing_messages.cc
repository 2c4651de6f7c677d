// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "src/bindings/outgoing_messages.h"

#include <grpc/byte_buffer.h>
#include <grpc/slice.h>

#include <utility>

#include "src/bindings/call.h"

namespace uvgrpc {
namespace {

// What may gather before a writer must wait.
constexpr size_t kMaxMessages = 64;
constexpr size_t kMaxBytes = 32 * 1024;
// A writer that stays away for longer without letting the loop turn blocks it.
constexpr std::chrono::milliseconds kLongPause{1};
// What is written in a turn that has lasted longer is not left to its end.
constexpr std::chrono::milliseconds kLongTurn{2};

}  // namespace

OutgoingMessages::~OutgoingMessages() {
  Fail();
  ReleaseStarted();
}

void OutgoingMessages::CountBytes(int64_t bytes) {
  bytes_ += static_cast<size_t>(bytes);
  call_->context()->CountBuffered(bytes);
}

void OutgoingMessages::Push(grpc_slice message, uint32_t flags) {
  if (failed_) {
    grpc_slice_unref(message);
    return;
  }
  // The first message is waited for in any case.
  if (first_is_through_) {
    NoteActivity();
    last_turn_ = call_->context()->turn();
  }
  last_push_ = Clock::now();
  CountBytes(static_cast<int64_t>(GRPC_SLICE_LENGTH(message)));
  queue_.Push(Message{message, flags});
  call_->Collect();
}

void OutgoingMessages::NoteActivity() {
  // In a later turn, what was pushed has left.
  if (blocks_loop_ || queue_.empty() ||
      call_->context()->turn() != last_turn_) {
    return;
  }
  blocks_loop_ = Clock::now() - last_push_ > kLongPause;
}

bool OutgoingMessages::MustWait() const {
  return failed_ || !first_is_through_ || blocks_loop_ || bytes_ > kMaxBytes ||
         queue_.size() > kMaxMessages ||
         call_->context()->bridge()->TurnLength(last_push_) > kLongTurn;
}

void OutgoingMessages::Wait(PyObject* future) {
  waiters_.Add(future);
  if (failed_ || empty()) call_->WakeLater();
}

size_t OutgoingMessages::AddOp(grpc_op* op) {
  if (queue_.empty()) return 0;
  Message message = queue_.Pop();
  CountBytes(-static_cast<int64_t>(GRPC_SLICE_LENGTH(message.slice)));
  buffer_ = grpc_raw_byte_buffer_create(&message.slice, 1);
  grpc_slice_unref(message.slice);
  // With more behind it the transport may wait, and write all at once. Not the
  // first one: it may share a batch with the initial metadata, and then the
  // transport would start no write at all.
  if (!queue_.empty() && first_is_through_) {
    message.flags |= GRPC_WRITE_BUFFER_HINT;
  }
  op->op = GRPC_OP_SEND_MESSAGE;
  op->flags = message.flags;
  op->data.send_message.send_message = buffer_;
  started_ = true;
  return 1;
}

void OutgoingMessages::ReleaseStarted() {
  grpc_byte_buffer_destroy(std::exchange(buffer_, nullptr));
}

bool OutgoingMessages::Finish(bool ok) {
  if (std::exchange(started_, false)) first_is_through_ = true;
  if (!ok) Fail();
  settled_at_ = call_->context()->settlings();
  return has_waiters() && (failed_ || empty());
}

void OutgoingMessages::End() {
  if (!failed_ && empty() && settled_at_ != call_->context()->settlings()) {
    waiters_.MoveTo(done_);
  }
  Fail();
}

void OutgoingMessages::Fail() {
  failed_ = true;
  while (!queue_.empty()) grpc_slice_unref(queue_.Pop().slice);
  CountBytes(-static_cast<int64_t>(bytes_));
}

void OutgoingMessages::WakeWaiters() {
  done_.Wake(true);
  if (failed_ || empty()) waiters_.Wake(!failed_);
}

}  // namespace uvgrpc
