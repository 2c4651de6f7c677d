// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

#include "bench/peers/floor/call.h"

#include <grpc/byte_buffer.h>
#include <grpc/slice.h>

#include <cstring>
#include <utility>

namespace uvgrpc::bench {

Call::Call(Host* host)
    : host_(host),
      arrived_(host, this, &Call::HandleArrived),
      sent_(host, this, &Call::HandleSendDone),
      received_(host, this, &Call::HandleReceived),
      closed_(host, this, &Call::HandleClosed) {
  grpc_metadata_array_init(&slots_.metadata);
}

Call::~Call() {
  grpc_metadata_array_destroy(&slots_.metadata);
  grpc_byte_buffer_destroy(slots_.request);
  grpc_byte_buffer_destroy(message_);
  if (slots_.core != nullptr) grpc_call_unref(slots_.core);
}

void Call::HandleArrived(bool ok) {
  if (!ok) {  // the server shuts down
    delete this;
    return;
  }
  host_->HandleArrival();
  Begin();
}

void Call::HandleSent(bool /*ok*/) {}

void Call::HandleMessage(grpc_byte_buffer* /*message*/) {}

void Call::Send(grpc_slice message, uint32_t flags, More more) {
  grpc_byte_buffer* const buffer = grpc_raw_byte_buffer_create(&message, 1);
  grpc_slice_unref(message);
  grpc_op ops[4];
  std::memset(ops, 0, sizeof(ops));
  size_t count = AddInitialMetadata(ops);
  ops[count].op = GRPC_OP_SEND_MESSAGE;
  ops[count].flags = flags;
  ops[count++].data.send_message.send_message = buffer;
  if (more == More::kLast) {
    count += AddStatus(&ops[count], GRPC_STATUS_OK, nullptr);
    count += AddClose(&ops[count]);
  }
  Start(ops, count, &sent_);
  grpc_byte_buffer_destroy(buffer);
}

void Call::End(grpc_status_code code, const char* details) {
  grpc_slice text = grpc_slice_from_static_string(details);
  grpc_op ops[3];
  std::memset(ops, 0, sizeof(ops));
  size_t count = AddInitialMetadata(ops);
  count += AddStatus(&ops[count], code, &text);
  count += AddClose(&ops[count]);
  Start(ops, count, &sent_);
}

void Call::Receive() {
  grpc_op op;
  std::memset(&op, 0, sizeof(op));
  op.op = GRPC_OP_RECV_MESSAGE;
  op.data.recv_message.recv_message = &message_;
  Start(&op, 1, &received_);
}

void Call::WaitForEnd() {
  grpc_op op;
  std::memset(&op, 0, sizeof(op));
  Start(&op, AddClose(&op), &closed_);
}

size_t Call::AddInitialMetadata(grpc_op* op) {
  if (std::exchange(has_initial_metadata_, true)) return 0;
  op->op = GRPC_OP_SEND_INITIAL_METADATA;
  return 1;
}

size_t Call::AddStatus(grpc_op* op, grpc_status_code code,
                       grpc_slice* details) {
  has_status_ = true;
  op->op = GRPC_OP_SEND_STATUS_FROM_SERVER;
  op->data.send_status_from_server.status = code;
  op->data.send_status_from_server.status_details = details;
  return 1;
}

size_t Call::AddClose(grpc_op* op) {
  if (std::exchange(has_close_, true)) return 0;
  op->op = GRPC_OP_RECV_CLOSE_ON_SERVER;
  op->data.recv_close_on_server.cancelled = &cancelled_;
  return 1;
}

void Call::HandleSendDone(bool ok) {
  if (!has_status_) HandleSent(ok);
  EndBatch();
}

void Call::HandleReceived(bool ok) {
  grpc_byte_buffer* const message = std::exchange(message_, nullptr);
  HandleMessage(ok ? message : nullptr);
  grpc_byte_buffer_destroy(message);
  EndBatch();
}

void Call::HandleClosed(bool /*ok*/) { EndBatch(); }

void Call::Start(const grpc_op* ops, size_t count, Tag* tag) {
  ++batches_;
  host_->Start(slots_.core, ops, count, tag);
}

void Call::EndBatch() {
  if (--batches_ == 0 && has_status_) delete this;
}

}  // namespace uvgrpc::bench
